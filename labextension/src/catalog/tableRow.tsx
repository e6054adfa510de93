import { Clipboard } from '@jupyterlab/apputils';
import {
  addBelowIcon,
  caretDownIcon,
  caretRightIcon,
  copyIcon,
  fileIcon,
  runIcon,
  spreadsheetIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ITable } from '../api/types';
import { IconButton } from '../components/iconButton';
import * as format from '../format';
import { firstRows, tableName } from '../sql';
import { ColumnList } from './columnList';
import type { Columns } from './model';

export interface ITableRowProps {
  table: ITable;
  columns: Columns | undefined;
  onToggle: () => void;
  insert: (source: string, run: boolean) => void;
}

export function TableRow({ table, columns, onToggle, insert }: ITableRowProps): React.JSX.Element {
  const open = columns !== undefined;
  const Caret = open ? caretDownIcon : caretRightIcon;
  const Kind = table.kind === 'file' ? fileIcon : spreadsheetIcon;
  return (
    <li className="aiser-Table">
      <div className="aiser-Row">
        <button
          className="aiser-Row-main"
          type="button"
          aria-expanded={open}
          title={tooltip(table)}
          onClick={onToggle}
        >
          <Caret.react tag="span" width="16px" height="16px" />
          <Kind.react tag="span" width="14px" height="14px" />
          <span className="aiser-Row-name">{table.name}</span>
          <span className="aiser-Row-size aiser-Dim">{size(table)}</span>
        </button>
        <div className="aiser-Row-actions">
          <IconButton
            icon={addBelowIcon}
            label={`Insert query on ${table.name}`}
            onClick={() => {
              insert(firstRows(table), false);
            }}
          />
          <IconButton
            icon={runIcon}
            label={`Insert query on ${table.name} and run it`}
            onClick={() => {
              insert(firstRows(table), true);
            }}
          />
          <IconButton
            icon={copyIcon}
            label={`Copy the name ${table.name}`}
            onClick={() => {
              Clipboard.copyToSystem(tableName(table));
            }}
          />
        </div>
      </div>
      {columns !== undefined && <ColumnList columns={columns} />}
    </li>
  );
}

/** The one size that fits a narrow row: rows, else bytes, else nothing. */
function size(table: ITable): string {
  if (table.rows !== null) {
    return format.count(table.rows, 'row');
  }
  return table.bytes === null ? '' : format.bytes(table.bytes);
}

function tooltip(table: ITable): string {
  const lines = [
    table.name,
    table.rows === null ? 'Number of rows unknown' : format.count(table.rows, 'row'),
    table.bytes === null ? 'Size unknown' : format.bytes(table.bytes),
    table.comment ?? ''
  ];
  return lines.filter(line => line !== '').join('\n');
}
