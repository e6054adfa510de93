import { caretDownIcon, caretRightIcon, VDomRenderer } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IHistoryEntry } from '../api/types';
import { ErrorMessage, Message } from '../components/message';
import { Search } from '../components/search';
import * as format from '../format';
import { Detail } from './detail';
import type { HistoryModel } from './model';
import { isActive } from './model';
import { StateIcon } from './state';

export interface IHistoryProps {
  model: HistoryModel;
  insert: (source: string, run: boolean) => void;
}

/** The section "History". */
export class HistoryView extends VDomRenderer<HistoryModel> {
  constructor(
    model: HistoryModel,
    private readonly insert: IHistoryProps['insert']
  ) {
    super(model);
    this.addClass('aiser-Section');
  }

  protected override render(): React.JSX.Element {
    const { model } = this;
    return (
      <>
        <Search
          label="Search history"
          value={model.search}
          onChange={value => {
            model.search = value;
          }}
        />
        {model.error && <ErrorMessage error={model.error} />}
        <Entries model={model} insert={this.insert} />
      </>
    );
  }
}

function Entries({ model, insert }: IHistoryProps): React.JSX.Element | null {
  const { entries, error, search } = model;
  if (entries === null) {
    return error ? null : <Message>Reading the history…</Message>;
  }
  if (entries.length === 0) {
    return (
      <Message>
        {search.trim()
          ? `No query holds “${search.trim()}”.`
          : 'No queries yet. Every %%aiser cell that runs is listed here.'}
      </Message>
    );
  }
  return (
    <ul className="aiser-List aiser-Entries" aria-label="Queries, newest first">
      {entries.map(entry => (
        <Entry
          key={entry.id}
          entry={entry}
          open={model.isOpen(entry.id)}
          onToggle={() => {
            model.toggle(entry.id);
          }}
          insert={insert}
        />
      ))}
    </ul>
  );
}

interface IEntryProps {
  entry: IHistoryEntry;
  open: boolean;
  onToggle: () => void;
  insert: IHistoryProps['insert'];
}

function Entry({ entry, open, onToggle, insert }: IEntryProps): React.JSX.Element {
  const Caret = open ? caretDownIcon : caretRightIcon;
  return (
    <li className="aiser-Entry">
      <button className="aiser-Entry-main" type="button" aria-expanded={open} onClick={onToggle}>
        <Caret.react tag="span" width="16px" height="16px" />
        <StateIcon state={entry.state} />
        <code className="aiser-Entry-sql">{format.firstLine(entry.sql)}</code>
        <time
          className="aiser-Entry-when aiser-Dim"
          dateTime={entry.started_at}
          title={new Date(entry.started_at).toLocaleString()}
        >
          {format.ago(entry.started_at)}
        </time>
        <span className="aiser-Entry-line aiser-Dim">{summary(entry)}</span>
      </button>
      {open && <Detail entry={entry} insert={insert} />}
    </li>
  );
}

/** The known figures of a run, in one line. */
function summary(entry: IHistoryEntry): string {
  const seconds = isActive(entry)
    ? Math.max(0, (Date.now() - Date.parse(entry.started_at)) / 1000)
    : entry.seconds;
  const words = [
    entry.error_code,
    entry.engine,
    seconds === null ? '' : format.duration(seconds),
    entry.cached ? 'cached' : '',
    entry.rows === null ? '' : format.count(entry.rows, 'row') + (entry.truncated ? ' (cut)' : ''),
    entry.connection
  ];
  return words.filter(word => word !== '').join(' · ');
}
