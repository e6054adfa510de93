import { VDomRenderer } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ITable } from '../api/types';
import { ErrorMessage, Message } from '../components/message';
import { Search } from '../components/search';
import type { CatalogModel } from './model';
import { key } from './model';
import { TableRow } from './tableRow';

const LOAD = '%load_ext aiser_jupyter';

export interface ICatalogProps {
  model: CatalogModel;
  insert: (source: string, run: boolean) => void;
}

/** The section "Catalog". */
export class CatalogView extends VDomRenderer<CatalogModel> {
  constructor(
    model: CatalogModel,
    private readonly insert: ICatalogProps['insert']
  ) {
    super(model);
    this.addClass('aiser-Section');
  }

  protected override render(): React.JSX.Element {
    const { state } = this.model;
    if (state === 'open') {
      return <Tables model={this.model} insert={this.insert} />;
    }
    if (state === 'not-loaded') {
      return <NotLoaded insert={this.insert} />;
    }
    return <Message>{WORDS[state]}</Message>;
  }
}

const WORDS = {
  'no-notebook': 'Open a notebook to see its DataFrames and files.',
  'no-kernel': 'This notebook has no kernel. Start one to see its DataFrames and files.',
  'not-python': 'The catalog needs a Python kernel.',
  waiting: 'Waiting for the kernel…'
} as const;

function NotLoaded({ insert }: Pick<ICatalogProps, 'insert'>): React.JSX.Element {
  return (
    <Message>
      <p>
        The extension is not loaded in this kernel. Run <code>{LOAD}</code> to query its DataFrames
        and files.
      </p>
      <button
        type="button"
        className="jp-mod-styled jp-mod-accept aiser-Button"
        onClick={() => {
          insert(LOAD, true);
        }}
      >
        Insert and run
      </button>
    </Message>
  );
}

function Tables({ model, insert }: ICatalogProps): React.JSX.Element {
  const { tables, error, filter } = model;
  if (error) {
    return <ErrorMessage error={error} />;
  }
  if (tables === null) {
    return <Message>Reading the catalog…</Message>;
  }
  if (tables.length === 0) {
    return (
      <Message>
        No DataFrames in this kernel, and no CSV, Parquet, JSON or Excel files in its folder.
      </Message>
    );
  }
  const wanted = filter.trim().toLowerCase();
  const shown = tables.filter(table => table.name.toLowerCase().includes(wanted));
  return (
    <>
      <Search
        label="Search tables"
        value={filter}
        onChange={value => {
          model.filter = value;
        }}
      />
      <div className="aiser-List">
        {shown.length === 0 && <Message>Nothing here is named “{filter.trim()}”.</Message>}
        {GROUPS.map(([title, kinds]) => (
          <Group
            key={title}
            title={title}
            tables={shown.filter(table => kinds.includes(table.kind))}
            model={model}
            insert={insert}
          />
        ))}
      </div>
    </>
  );
}

const GROUPS: [string, ITable['kind'][]][] = [
  ['DataFrames', ['frame']],
  ['Tables', ['table', 'view']],
  ['Files', ['file']]
];

function Group(
  props: ICatalogProps & { title: string; tables: ITable[] }
): React.JSX.Element | null {
  const { title, tables, model, insert } = props;
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
            columns={model.columns(table)}
            onToggle={() => {
              model.toggle(table);
            }}
            insert={insert}
          />
        ))}
      </ul>
    </section>
  );
}
