import * as React from 'react';

/** What a colour stands for; `plain` is only a length. */
export type Kind = 'plain' | 'ok' | 'failing' | 'unknown' | 'cancelled' | 'cached';

export interface IBarProps {
  /** From 0 to 1. */
  share: number;
  kind?: Kind;
}

/** A length beside a number that is written out: a picture only, not read aloud. */
export function Bar({ share, kind = 'plain' }: IBarProps): React.JSX.Element {
  return (
    <span className="aiser-Bar" aria-hidden="true">
      <span className={`aiser-mod-${kind}`} style={{ width: `${share * 100}%` }} />
    </span>
  );
}

export interface IPart {
  name: string;
  /** Its part of the whole, in any unit. */
  size: number;
  /** The number as it is written. */
  said: string;
  /** Ends the name of the class that gives its colour: `aiser-mod-…`. */
  kind: string;
  /** Explains it where it is pointed at. */
  meaning?: string;
}

/** A whole and its parts: a bar in proportion, and the numbers under it. */
export function PartsBar({ label, parts }: { label: string; parts: IPart[] }): React.JSX.Element {
  return (
    <div className="aiser-Parts">
      <div className="aiser-Parts-bar" aria-hidden="true">
        {parts.map(({ name, size, kind }) => (
          <span key={name} className={`aiser-mod-${kind}`} style={{ flexGrow: size }} />
        ))}
      </div>
      <ul className="aiser-Parts-legend" aria-label={label}>
        {parts.map(({ name, said, kind, meaning }) => (
          <li key={name} title={meaning}>
            <span className={`aiser-Parts-key aiser-mod-${kind}`} aria-hidden="true" />
            {name} <span className="aiser-Dim">{said}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
