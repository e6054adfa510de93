import * as React from 'react';

import type { ILoad } from '../api/types';
import { Bar } from '../components/bars';
import * as format from '../format';
import { seconds } from './queries';

export interface ILoadsProps {
  title: string;
  loads: readonly ILoad[];
  /** Stands for an empty name. */
  nameless: string;
}

/** A bar for each engine or connection, as long as it has queries, and its times. */
export function Loads({ title, loads, nameless }: ILoadsProps): React.JSX.Element | null {
  const most = Math.max(1, ...loads.map(load => load.runs));
  if (loads.length === 0) {
    return null;
  }
  return (
    <section className="aiser-Part" aria-label={title}>
      <h3 className="aiser-Group">{title}</h3>
      <ul aria-label={title}>
        {loads.map(load => (
          <li key={load.name} className="aiser-Load">
            <span className="aiser-Load-name" title={load.name}>
              {load.name || nameless}
            </span>
            <span className="aiser-Load-runs">{format.count(load.runs, 'query', 'queries')}</span>
            <Bar share={load.runs / most} />
            <span className="aiser-Load-times aiser-Dim">{times(load)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function times({ median, p95, failed, cached }: ILoad): string {
  const words = [
    median === null ? 'nothing computed' : `median ${seconds(median)}`,
    p95 === null ? '' : `95 % within ${seconds(p95)}`,
    cached > 0 ? `${format.number(cached)} cached` : '',
    failed > 0 ? `${format.number(failed)} failed` : ''
  ];
  // A line may break between them, not inside.
  return words
    .filter(word => word !== '')
    .map(word => word.replaceAll(' ', '\u00a0'))
    .join(' · ');
}
