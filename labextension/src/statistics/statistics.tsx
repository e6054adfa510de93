import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IHistoryEntry, IStatistics } from '../api/types';
import { Frame } from '../components/frame';
import { Entry } from '../monitor/entry';
import { Failures } from './failures';
import { Loads } from './loads';
import type { StatisticsModel } from './model';
import { Queries } from './queries';
import type { ISourcesProps } from './sources';
import { Sources } from './sources';

const RANGES: [number, string][] = [
  [1, 'today'],
  [7, 'the last 7 days'],
  [30, 'the last 30 days'],
  [90, 'the last 90 days']
];

export interface IStatisticsProps extends ISourcesProps {
  insert: (source: string, run: boolean) => void;
}

/** The section "Statistics": how the connections are, what ran and how long, and what failed. */
export function Statistics({ model, insert, edit }: IStatisticsProps): React.JSX.Element {
  const { figures, error } = model;
  return (
    <Frame
      head={<Range model={model} />}
      error={error}
      retry={() => void model.refresh()}
      message={figures === null && !error && 'Counting…'}
    >
      {figures && <Figures figures={figures} model={model} insert={insert} edit={edit} />}
    </Frame>
  );
}

function Figures(props: IStatisticsProps & { figures: IStatistics }): React.JSX.Element {
  const { figures, model, insert, edit } = props;
  const { queries, by_engine, by_connection, errors, slowest } = figures;
  return (
    <>
      {model.error && (
        <p className="aiser-Note aiser-Dim">
          The figures are of {model.asOf.toLocaleTimeString()}.
        </p>
      )}
      <div className="aiser-Statistics">
        <div className="aiser-Statistics-columns">
          <div>
            <Sources model={model} edit={edit} />
            {queries.runs === 0 ? <Nothing model={model} /> : <Queries figures={figures} />}
            <Loads title="By engine" nameless="no engine yet" loads={by_engine} />
          </div>
          <div>
            <Loads title="By connection" nameless="no connection" loads={by_connection} />
            <Slowest entries={slowest} model={model} insert={insert} />
            <Failures errors={errors} />
          </div>
        </div>
      </div>
    </>
  );
}

function Range({ model }: { model: StatisticsModel }): React.JSX.Element {
  return (
    <div className="aiser-Choice">
      <HTMLSelect
        aria-label="Statistics of"
        value={model.days}
        onChange={event => {
          model.days = Number(event.target.value);
        }}
      >
        {RANGES.map(([days, words]) => (
          <option key={days} value={days}>
            {words}
          </option>
        ))}
      </HTMLSelect>
    </div>
  );
}

/** What to do where there is nothing to count. */
function Nothing({ model }: Pick<IStatisticsProps, 'model'>): React.JSX.Element {
  const words = RANGES.find(([days]) => days === model.days)?.[1] ?? '';
  return (
    <section className="aiser-Part" aria-label="Queries">
      <h3 className="aiser-Group">Queries</h3>
      <p className="aiser-Note aiser-Dim">
        Nothing has run yet {model.days === 1 ? words : `in ${words}`}. Run a cell that begins with
        %%aiser, in any notebook: it is counted here. Or choose a longer time above.
      </p>
    </section>
  );
}

function Slowest(
  props: Pick<IStatisticsProps, 'model' | 'insert'> & { entries: readonly IHistoryEntry[] }
): React.JSX.Element | null {
  const { entries, model, insert } = props;
  const longest = entries[0]?.seconds ?? 0;
  if (entries.length === 0) {
    return null;
  }
  return (
    <section className="aiser-Part" aria-label="Slowest">
      <h3 className="aiser-Group">Slowest</h3>
      <ul aria-label="Slowest">
        {entries.map(entry => (
          <Entry
            key={entry.id}
            entry={entry}
            open={model.isOpen(entry.id)}
            share={longest > 0 ? (entry.seconds ?? 0) / longest : 0}
            onToggle={() => {
              model.toggle(entry.id);
            }}
            insert={insert}
          />
        ))}
      </ul>
    </section>
  );
}
