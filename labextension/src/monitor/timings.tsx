import * as React from 'react';

import type { ITimings } from '../api/types';
import { PartsBar } from '../components/bars';
import * as format from '../format';

const PARTS: [keyof ITimings, string][] = [
  ['plan', 'Parsed, bound and routed'],
  ['queue', 'Waited for a worker'],
  ['connect', 'Opened a session'],
  ['execute', 'Until the first rows'],
  ['fetch', 'Read the rows'],
  ['convert', 'Made the types exact, and the DataFrame']
];

/** Where the time of a run went. */
export function TimingsBar({ timings }: { timings: ITimings }): React.JSX.Element | null {
  const spent = PARTS.filter(([part]) => timings[part] > 0);
  if (spent.length === 0) {
    return null;
  }
  return (
    <PartsBar
      label="Time by part"
      parts={spent.map(([part, meaning]) => ({
        name: part,
        size: timings[part] * 1e6,
        said: format.duration(timings[part]),
        kind: part,
        meaning
      }))}
    />
  );
}
