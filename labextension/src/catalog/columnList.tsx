import * as React from 'react';

import { AiserError } from '../api/request';
import type { IColumn } from '../api/types';
import { ErrorMessage } from '../components/message';
import type { Columns } from './model';

export function ColumnList({ columns }: { columns: Columns }): React.JSX.Element {
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
    <ul className="aiser-Columns" aria-label="Columns">
      {columns.map((column, index) => (
        <li key={index} className="aiser-Column" title={tooltip(column)}>
          <span className="aiser-Column-name">{column.name}</span>
          <span className="aiser-Column-type aiser-Dim">{column.type}</span>
        </li>
      ))}
    </ul>
  );
}

function tooltip(column: IColumn): string {
  const required = column.nullable === false ? ' · never NULL' : '';
  const comment = column.comment ? `\n${column.comment}` : '';
  return `${column.name}: ${column.type}${required}${comment}`;
}
