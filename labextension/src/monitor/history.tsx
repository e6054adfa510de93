import * as React from 'react';

import type { IHistoryEntry } from '../api/types';
import { Frame } from '../components/frame';
import { Entry } from './entry';
import type { HistoryModel } from './model';

export interface IHistoryProps {
  model: HistoryModel;
  insert: (source: string, run: boolean) => void;
}

/** The section "Queries": what runs now in any kernel or in the server, and what ran. */
export function History({ model, insert }: IHistoryProps): React.JSX.Element {
  const { active, ended, error } = model;
  return (
    <Frame
      search={{
        label: 'Search history',
        value: model.search,
        onChange: value => {
          model.search = value;
        }
      }}
      error={error}
      message={message(model)}
    >
      <Entries
        title="Running now"
        entries={error ? [] : (active ?? [])} // no clock of something that may have ended
        model={model}
        insert={insert}
      />
      <Entries title="Ended, newest first" entries={ended ?? []} model={model} insert={insert} />
    </Frame>
  );
}

function message({ active, ended, error, search }: HistoryModel): string {
  const word = search.trim();
  if (ended === null) {
    return error ? '' : 'Reading the history…';
  }
  if (ended.length > 0 || active?.length) {
    return '';
  }
  return word
    ? `No query holds “${word}”.`
    : 'No queries yet. Every %%aiser cell that runs is listed here.';
}

function Entries(
  props: IHistoryProps & { title: string; entries: readonly IHistoryEntry[] }
): React.JSX.Element | null {
  const { title, entries, model, insert } = props;
  if (entries.length === 0) {
    return null;
  }
  return (
    <section aria-label={title}>
      <h3 className="aiser-Group">{title}</h3>
      <ul className="aiser-Entries" aria-label={title}>
        {entries.map(entry => (
          <Entry
            key={entry.id}
            entry={entry}
            open={model.isOpen(entry.id)}
            stopping={model.isStopping(entry.id)}
            refusal={model.refusal(entry.id)}
            onToggle={() => {
              model.toggle(entry.id);
            }}
            onCancel={() => {
              void model.cancel(entry.id);
            }}
            insert={insert}
          />
        ))}
      </ul>
    </section>
  );
}
