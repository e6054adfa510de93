import * as React from 'react';

/** What is known of something, as name and words. */
export type Facts = [string, React.ReactNode][];

export function FactList({ facts }: { facts: Facts }): React.JSX.Element {
  return (
    <dl className="aiser-Facts">
      {facts.map(([name, value]) => (
        <React.Fragment key={name}>
          <dt className="aiser-Dim">{name}</dt>
          <dd>{value}</dd>
        </React.Fragment>
      ))}
    </dl>
  );
}
