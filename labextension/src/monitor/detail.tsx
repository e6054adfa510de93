import { Clipboard } from '@jupyterlab/apputils';
import { addBelowIcon, copyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IHistoryEntry } from '../api/types';
import type { Facts } from '../components/facts';
import { FactList } from '../components/facts';
import { IconButton } from '../components/iconButton';
import * as format from '../format';
import { magicCell } from '../sql';
import { TimingsBar } from './timings';

export interface IDetailProps {
  entry: IHistoryEntry;
  insert: (source: string, run: boolean) => void;
}

/** Everything the store knows of one run. */
export function Detail({ entry, insert }: IDetailProps): React.JSX.Element {
  const engine = entry.pinned ? entry.engine : '';
  return (
    <div className="aiser-Detail">
      <div className="aiser-Sql">
        <pre tabIndex={0} aria-label="Statement">
          {entry.sql}
        </pre>
        <div className="aiser-Sql-actions">
          <IconButton
            icon={addBelowIcon}
            label="Insert as cell"
            onClick={() => {
              insert(magicCell(entry.sql, entry.connection, engine), false);
            }}
          />
          <IconButton
            icon={copyIcon}
            label="Copy the statement"
            onClick={() => {
              Clipboard.copyToSystem(entry.sql);
            }}
          />
        </div>
      </div>
      {entry.error && (
        <pre className="aiser-Detail-error" aria-label="Error">
          {entry.error}
        </pre>
      )}
      <TimingsBar timings={entry.timings} />
      <FactList facts={facts(entry)} />
    </div>
  );
}

/** What is known of a run, as name and words. */
function facts(entry: IHistoryEntry): Facts {
  const known: Facts = [];
  if (entry.engine) {
    known.push(['Engine', entry.pinned ? `${entry.engine} (pinned)` : entry.engine]);
  }
  if (entry.reason) {
    known.push(['Why', entry.reason]);
  }
  if (entry.seconds !== null) {
    const took = `${format.duration(entry.seconds)}${entry.cached ? ', from the cache' : ''}`;
    known.push(['Took', took]);
  }
  known.push([
    'Expected',
    entry.estimated_seconds === null ? 'no estimate' : format.duration(entry.estimated_seconds)
  ]);
  if (entry.rows !== null) {
    const size = entry.bytes === null ? '' : `, ${format.bytes(entry.bytes)}`;
    const cut = entry.truncated ? ', cut for display' : '';
    known.push(['Result', `${format.count(entry.rows, 'row')}${size}${cut}`]);
  }
  known.push(['Connection', entry.connection]);
  known.push(['Started', new Date(entry.started_at).toLocaleString()]);
  return known;
}
