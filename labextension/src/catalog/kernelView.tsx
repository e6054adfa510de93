import * as React from 'react';

import type { ITable } from '../api/types';
import { Frame } from '../components/frame';
import { Button } from '../components/button';
import { LOCAL } from '../sql';
import type { KernelCatalog } from './kernel';
import type { ITableActions } from './tree';
import { key } from './tree';
import { TableRow } from './tableRow';

const LOAD = '%load_ext aiser_jupyter';

export interface IKernelViewProps extends ITableActions {
  model: KernelCatalog;
  head: React.ReactNode;
}

/** The DataFrames and the files of the current notebook. */
export function KernelView(props: IKernelViewProps): React.JSX.Element {
  const { model, head, insert } = props;
  const { state, tables, error, filter } = model;
  if (state === 'not-loaded') {
    return <Frame head={head} message={<NotLoaded insert={insert} />} />;
  }
  if (state !== 'open') {
    return <Frame head={head} message={WORDS[state]} />;
  }
  if (error) {
    return <Frame head={head} error={error} />;
  }
  if (tables === null) {
    return <Frame head={head} message="Reading the catalog…" />;
  }
  if (tables.length === 0) {
    return (
      <Frame
        head={head}
        message="No DataFrames in this kernel, and no CSV, Parquet, JSON or Excel files in its folder."
      />
    );
  }
  const wanted = filter.trim().toLowerCase();
  const shown = tables.filter(table => table.name.toLowerCase().includes(wanted));
  return (
    <Frame
      head={head}
      search={{
        label: 'Search tables',
        value: filter,
        onChange: value => {
          model.filter = value;
        }
      }}
      message={shown.length === 0 && `Nothing here is named “${filter.trim()}”.`}
    >
      {GROUPS.map(([title, kinds]) => (
        <Group
          key={title}
          title={title}
          tables={shown.filter(table => kinds.includes(table.kind))}
          {...props}
        />
      ))}
    </Frame>
  );
}

const WORDS = {
  'no-notebook': 'Open a notebook to see its DataFrames and files.',
  'no-kernel': 'This notebook has no kernel. Start one to see its DataFrames and files.',
  'not-python': 'The catalog needs a Python kernel.',
  waiting: 'Waiting for the kernel…'
} as const;

function NotLoaded({ insert }: Pick<ITableActions, 'insert'>): React.JSX.Element {
  return (
    <>
      <p>
        The extension is not loaded in this kernel. Run <code>{LOAD}</code> to query its DataFrames
        and files.
      </p>
      <Button
        accept
        onClick={() => {
          insert(LOAD, true);
        }}
      >
        Insert and run
      </Button>
    </>
  );
}

const GROUPS: [string, string[]][] = [
  ['DataFrames', ['frame']],
  ['Tables', ['table', 'view']],
  ['Files', ['file']]
];

function Group(
  props: IKernelViewProps & { title: string; tables: ITable[] }
): React.JSX.Element | null {
  const { title, tables, model } = props;
  if (tables.length === 0) {
    return null;
  }
  return (
    <section aria-label={title}>
      <h3 className="aiser-Group">{title}</h3>
      <ul className="aiser-Tables">
        {tables.map(table => (
          <TableRow
            key={key(table)}
            table={table}
            source={LOCAL}
            columns={model.columns(table)}
            onToggle={() => {
              model.toggle(table);
            }}
            insert={props.insert}
            insertName={props.insertName}
          />
        ))}
      </ul>
    </section>
  );
}
