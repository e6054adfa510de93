import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ITable } from '../api/types';
import { Frame } from '../components/frame';
import * as format from '../format';
import { ColumnList } from './columnList';
import type { DatabaseCatalog, IFound } from './database';
import { TableRow } from './tableRow';
import type { ITableActions } from './tree';
import { key } from './tree';

/** So many tables of one schema are drawn; the others are found by searching. */
const DRAWN = 500;

export interface IDatabaseViewProps extends ITableActions {
  model: DatabaseCatalog;
  head: React.ReactNode;
}

/** The schemas, tables and columns of a connection. */
export function DatabaseView(props: IDatabaseViewProps): React.JSX.Element {
  const { model, head } = props;
  const searching = model.search.trim() !== '';
  return (
    <Frame
      head={head}
      search={{
        label: 'Search tables, columns',
        value: model.search,
        onChange: value => {
          model.search = value;
        }
      }}
      error={model.error}
      message={message(model)}
    >
      {searching ? <Found {...props} /> : <Schemas {...props} />}
    </Frame>
  );
}

function message({ connection, schemas, error, loading, search, found }: DatabaseCatalog): string {
  const word = search.trim();
  if (word) {
    if (found === null) {
      return error ? '' : 'Searching…';
    }
    return found.length === 0 ? `No table or column is named like “${word}”.` : '';
  }
  if (schemas === null) {
    return error || !loading ? '' : `Asking ${connection.name}…`;
  }
  return schemas.length === 0 ? `${connection.name} has no tables that you may see.` : '';
}

function Schemas(props: IDatabaseViewProps): React.JSX.Element {
  return (
    <>
      {(props.model.schemas ?? []).map(schema => (
        <Schema key={schema} schema={schema} {...props} />
      ))}
    </>
  );
}

function Schema(props: IDatabaseViewProps & { schema: string }): React.JSX.Element {
  const { model, schema } = props;
  const open = model.isOpen(schema);
  const tables = model.tablesOf(schema);
  const Caret = open ? caretDownIcon : caretRightIcon;
  return (
    <section aria-label={schema || 'Tables'}>
      <div className="aiser-Row">
        <button
          className="aiser-Row-main aiser-mod-schema"
          type="button"
          aria-expanded={open}
          title={schema}
          onClick={() => {
            model.toggleSchema(schema);
          }}
        >
          <Caret.react tag="span" width="16px" height="16px" />
          <span className="aiser-Row-name">{schema || 'Tables'}</span>
          <span className="aiser-Row-size aiser-Dim">{format.count(tables.length, 'table')}</span>
        </button>
      </div>
      {open && (
        <ul className="aiser-Tables aiser-mod-inside">
          {tables.slice(0, DRAWN).map(table => (
            <Row key={key(table)} table={table} {...props} />
          ))}
          {tables.length > DRAWN && (
            <li className="aiser-Columns-note aiser-Dim">
              {format.count(tables.length - DRAWN, 'more table')}: search for them.
            </li>
          )}
        </ul>
      )}
    </section>
  );
}

function Found(props: IDatabaseViewProps): React.JSX.Element {
  const found = props.model.found ?? [];
  return (
    <ul className="aiser-Tables" aria-label="Found">
      {found.map(each => (
        <Row key={key(each.table)} table={each.table} matched={each} {...props} />
      ))}
      {props.model.cut && (
        <li className="aiser-Columns-note aiser-Dim">There is more: write more of the name.</li>
      )}
    </ul>
  );
}

function Row(props: IDatabaseViewProps & { table: ITable; matched?: IFound }): React.JSX.Element {
  const { model, table, matched, insert, insertName } = props;
  const columns = model.columns(table);
  return (
    <TableRow
      table={table}
      source={model.connection}
      withSchema={matched !== undefined}
      columns={columns}
      onToggle={() => {
        model.toggle(table);
      }}
      insert={insert}
      insertName={insertName}
    >
      {columns === undefined && matched && matched.columns.length > 0 && (
        <ColumnList
          label="Columns found"
          columns={matched.columns}
          source={model.connection}
          insertName={insertName}
        />
      )}
    </TableRow>
  );
}
