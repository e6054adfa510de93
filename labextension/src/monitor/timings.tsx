import * as React from 'react';

import type { ITimings } from '../api/types';
import * as format from '../format';

const PARTS: [keyof ITimings, string][] = [
  ['plan', 'Parsed, bound and routed'],
  ['queue', 'Waited for a worker'],
  ['connect', 'Opened a session'],
  ['execute', 'Until the first rows'],
  ['fetch', 'Read the rows'],
  ['convert', 'Made the types exact, and the DataFrame']
];

/** Where the time went: a bar in proportion, and the numbers under it. */
export function TimingsBar({ timings }: { timings: ITimings }): React.JSX.Element | null {
  const spent = PARTS.filter(([part]) => timings[part] > 0);
  if (spent.length === 0) {
    return null;
  }
  return (
    <div className="aiser-Timings">
      <div className="aiser-Timings-bar" aria-hidden="true">
        {spent.map(([part]) => (
          <span
            key={part}
            className={`aiser-mod-${part}`}
            style={{ flexGrow: timings[part] * 1e6 }}
          />
        ))}
      </div>
      <ul className="aiser-Timings-legend" aria-label="Time by part">
        {spent.map(([part, meaning]) => (
          <li key={part} title={meaning}>
            <span className={`aiser-Timings-key aiser-mod-${part}`} aria-hidden="true" />
            {part} <span className="aiser-Dim">{format.duration(timings[part])}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
