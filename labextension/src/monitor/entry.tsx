import { caretDownIcon, caretRightIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { AiserError } from '../api/request';
import type { IHistoryEntry, RunState } from '../api/types';
import { Bar } from '../components/bars';
import { IconButton } from '../components/iconButton';
import { ErrorMessage } from '../components/message';
import * as format from '../format';
import { Detail } from './detail';
import { isActive } from './model';
import { StateIcon } from './state';

/** Characters of a statement in a tooltip; all of it is there when the row is opened. */
const TOOLTIP = 1000;

export interface IEntryProps {
  entry: IHistoryEntry;
  open: boolean;
  onToggle: () => void;
  /** Draws its time, as a part of the longest. */
  share?: number;
  stopping?: boolean;
  refusal?: AiserError;
  onCancel?: () => void;
  insert: (source: string, run: boolean) => void;
}

/** One run; one that goes on has a clock and can be cancelled. */
export function Entry(props: IEntryProps): React.JSX.Element {
  const { entry, open, share, stopping = false, refusal, onToggle, onCancel, insert } = props;
  const Caret = open ? caretDownIcon : caretRightIcon;
  const active = isActive(entry);
  const line = summary(entry, stopping);
  return (
    <li className="aiser-Entry">
      <div className="aiser-Entry-head">
        <button className="aiser-Entry-main" type="button" aria-expanded={open} onClick={onToggle}>
          <Caret.react tag="span" width="16px" height="16px" />
          <StateIcon state={entry.state} />
          <code className="aiser-Entry-sql" title={entry.sql.slice(0, TOOLTIP)}>
            {format.firstLine(entry.sql)}
          </code>
          {active ? (
            <span className="aiser-Entry-when">{format.duration(elapsed(entry))}</span>
          ) : (
            <When instant={entry.started_at} />
          )}
          <span className="aiser-Entry-line aiser-Dim" title={line}>
            {line}
          </span>
          {share !== undefined && <Bar share={share} />}
        </button>
        {active && onCancel && (
          <IconButton
            icon={stopIcon}
            label={stopping ? 'Cancelling…' : `Cancel ${format.firstLine(entry.sql)}`}
            disabled={stopping}
            onClick={onCancel}
          />
        )}
      </div>
      {refusal && <ErrorMessage error={refusal} />}
      {open && <Detail entry={entry} insert={insert} />}
    </li>
  );
}

function When({ instant }: { instant: string }): React.JSX.Element {
  return (
    <time
      className="aiser-Entry-when aiser-Dim"
      dateTime={instant}
      title={new Date(instant).toLocaleString()}
    >
      {format.ago(instant)}
    </time>
  );
}

/** Seconds since the start; the clocks of server and browser may differ. */
function elapsed(entry: IHistoryEntry): number {
  return Math.max(0, (Date.now() - Date.parse(entry.started_at)) / 1000);
}

/** The known figures of a run, in one line. */
function summary(entry: IHistoryEntry, stopping: boolean): string {
  const states: Partial<Record<RunState, string>> = { queued: 'waits for its turn', lost: 'lost' };
  const state = states[entry.state] ?? '';
  const error = entry.error_code.replaceAll('_', ' ');
  const words = [
    stopping ? 'cancelling…' : state,
    error === state ? '' : error,
    entry.engine,
    isActive(entry) || entry.seconds === null ? '' : format.duration(entry.seconds),
    entry.cached ? 'cached' : '',
    entry.rows === null ? '' : format.count(entry.rows, 'row') + (entry.truncated ? ' (cut)' : ''),
    entry.connection
  ];
  return words.filter(word => word !== '').join(' · ');
}
