import * as React from 'react';

import type { IStatistics } from '../api/types';
import * as format from '../format';

type IDay = IStatistics['by_day'][number];

/** A column a day. What is seen is also said, for the days on which something ran. */
export function Days({ days }: { days: readonly IDay[] }): React.JSX.Element {
  const most = Math.max(1, ...days.map(each => each.runs));
  return (
    <div className="aiser-Days">
      <div className="aiser-Days-columns" aria-hidden="true">
        {days.map(each => (
          <span key={each.day} className="aiser-Day" title={said(each)}>
            <span
              className="aiser-mod-failing"
              style={{ height: `${(each.failed / most) * 100}%` }}
            />
            <span
              className="aiser-mod-plain"
              style={{ height: `${((each.runs - each.failed) / most) * 100}%` }}
            />
          </span>
        ))}
      </div>
      <div className="aiser-Days-axis aiser-Dim" aria-hidden="true">
        <span>{days[0] && format.day(days[0].day)}</span>
        <span>at most {format.count(most, 'query', 'queries')} a day (UTC)</span>
        <span>{days.at(-1) && format.day(days.at(-1)?.day ?? '')}</span>
      </div>
      <ol className="aiser-Unseen" aria-label="Queries by day">
        {days
          .filter(each => each.runs > 0)
          .map(each => (
            <li key={each.day}>{said(each)}</li>
          ))}
      </ol>
    </div>
  );
}

function said({ day, runs, failed }: IDay): string {
  const bad = failed > 0 ? `, ${format.number(failed)} failed` : '';
  return `${format.day(day)}: ${format.count(runs, 'query', 'queries')}${bad}`;
}
