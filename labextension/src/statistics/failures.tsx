import * as React from 'react';

import type { IStatistics } from '../api/types';
import { Bar } from '../components/bars';
import * as format from '../format';

export interface IFailuresProps {
  errors: IStatistics['errors'];
}

/** The kinds of error, the most frequent first, each with its newest message and what helps. */
export function Failures({ errors }: IFailuresProps): React.JSX.Element | null {
  const most = Math.max(1, ...errors.map(each => each.count));
  if (errors.length === 0) {
    return null;
  }
  return (
    <section className="aiser-Part" aria-label="Errors">
      <h3 className="aiser-Group">Errors</h3>
      <ul aria-label="Errors">
        {errors.map(({ code, count, last_at, last_message, hint }) => (
          <li key={code} className="aiser-Load aiser-Failure">
            <span className="aiser-Load-name">{code.replaceAll('_', ' ')}</span>
            <span className="aiser-Load-runs">{format.count(count, 'time')}</span>
            <Bar share={count / most} kind="failing" />
            <span className="aiser-Load-times aiser-Dim">newest {format.ago(last_at)}</span>
            <pre tabIndex={0} aria-label={`Newest message of ${code}`}>
              {last_message}
            </pre>
            {hint && <p className="aiser-Dim">{hint}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}
