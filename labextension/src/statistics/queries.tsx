import * as React from 'react';

import type { ILoad, IStatistics } from '../api/types';
import type { IPart } from '../components/bars';
import { PartsBar } from '../components/bars';
import * as format from '../format';
import { Days } from './days';

/** All runs of these days: how many, how long, how they ended. */
export function Queries({ figures }: { figures: IStatistics }): React.JSX.Element {
  const { queries, by_day, complete } = figures;
  const facts: [string, string][] = [
    ['queries', format.number(queries.runs)],
    ['median', seconds(queries.median)],
    ['95 % within', seconds(queries.p95)],
    ['rows', format.number(queries.rows)]
  ];
  return (
    <section className="aiser-Part" aria-label="Queries">
      <h3 className="aiser-Group">Queries</h3>
      <dl className="aiser-Tiles">
        {facts.map(([name, said]) => (
          <div key={name} className="aiser-Tile">
            <dt className="aiser-Dim">{name}</dt>
            <dd>{said}</dd>
          </div>
        ))}
      </dl>
      <PartsBar label="Queries by how they ended" parts={ends(queries)} />
      {by_day.length > 1 && <Days days={by_day} />}
      {!complete && (
        <p className="aiser-Note aiser-Dim">
          Only the newest queries of these days were counted: there are very many.
        </p>
      )}
    </section>
  );
}

/** A time, or that nothing was computed. */
export function seconds(value: number | null): string {
  return value === null ? 'none' : format.duration(value);
}

function ends({ runs, done, cached, failed, cancelled }: ILoad): IPart[] {
  const parts: [string, number, string, string][] = [
    ['computed', done - cached, 'ok', 'Ran to their end'],
    ['cached', cached, 'cached', 'Answered with a kept result'],
    ['failed', failed, 'failing', 'Ended with an error'],
    ['cancelled', cancelled, 'cancelled', 'Were stopped'],
    ['open or lost', runs - done - failed - cancelled, 'unknown', 'Run now, or their kernel ended']
  ];
  return parts
    .filter(([, size]) => size > 0)
    .map(([name, size, kind, meaning]) => ({
      name,
      size,
      said: format.number(size),
      kind,
      meaning
    }));
}
