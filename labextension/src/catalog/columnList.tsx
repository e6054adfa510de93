import * as React from 'react';

import { AiserError } from '../api/request';
import type { IColumn } from '../api/types';
import { ErrorMessage } from '../components/message';
import type { ISource } from '../sql';
import type { Columns, ITableActions } from './tree';

export interface IColumnListProps extends Pick<ITableActions, 'insertName'> {
  label?: string;
  columns: Columns;
  source: ISource;
}

/** Columns with their type and their part in a key; a press writes the name into the cell. */
export function ColumnList(props: IColumnListProps): React.JSX.Element {
  const { label = 'Columns', columns, source, insertName } = props;
  if (columns === 'loading') {
    return <p className="aiser-Columns-note aiser-Dim">Reading the columns…</p>;
  }
  if (columns instanceof AiserError) {
    return <ErrorMessage error={columns} />;
  }
  if (columns.length === 0) {
    return <p className="aiser-Columns-note aiser-Dim">No columns</p>;
  }
  return (
    <ul className="aiser-Columns" aria-label={label}>
      {columns.map((column, index) => (
        <li key={index}>
          <button
            type="button"
            className="aiser-Column"
            title={tooltip(column)}
            onClick={() => {
              insertName({ source, column: column.name });
            }}
          >
            <span className="aiser-Column-name">{column.name}</span>
            {column.primary_key && <Key word="PK" meaning="Part of the primary key" />}
            {column.references && <Key word="FK" meaning={`Refers to ${column.references}`} />}
            <span className="aiser-Column-type aiser-Dim">{column.type}</span>
            {column.comment && (
              <span className="aiser-Column-comment aiser-Dim">{column.comment}</span>
            )}
          </button>
        </li>
      ))}
    </ul>
  );
}

function Key({ word, meaning }: { word: string; meaning: string }): React.JSX.Element {
  return (
    <abbr className="aiser-Badge" title={meaning} aria-label={meaning}>
      {word}
    </abbr>
  );
}

function tooltip(column: IColumn): string {
  const lines = [
    `${column.name}: ${column.type}${column.nullable === false ? ' · never NULL' : ''}`,
    column.references ? `Refers to ${column.references}` : '',
    column.comment ?? '',
    'Press to insert the name'
  ];
  return lines.filter(line => line !== '').join('\n');
}
