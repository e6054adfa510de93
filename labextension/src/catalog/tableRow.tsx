import { Clipboard } from '@jupyterlab/apputils';
import {
  addBelowIcon,
  caretDownIcon,
  caretRightIcon,
  copyIcon,
  editIcon,
  fileIcon,
  runIcon,
  spreadsheetIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ITable } from '../api/types';
import { IconButton } from '../components/iconButton';
import * as format from '../format';
import type { ISource } from '../sql';
import { firstRows, tableName } from '../sql';
import { ColumnList } from './columnList';
import type { Columns, ITableActions } from './tree';

export interface ITableRowProps extends ITableActions {
  table: ITable;
  source: ISource;
  /** Whether its schema is said with its name. */
  withSchema?: boolean;
  columns: Columns | undefined;
  onToggle: () => void;
  children?: React.ReactNode;
}

/** One table, its actions, and its columns where it is open. */
export function TableRow(props: ITableRowProps): React.JSX.Element {
  const { table, source, withSchema, columns, onToggle, insert, insertName, children } = props;
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
          <span className="aiser-Row-name">
            {withSchema && table.schema && <span className="aiser-Dim">{table.schema}.</span>}
            {table.name}
          </span>
          <span className="aiser-Row-size aiser-Dim">{size(table)}</span>
        </button>
        <div className="aiser-Row-actions">
          <IconButton
            icon={addBelowIcon}
            label={`Insert query on ${table.name}`}
            onClick={() => {
              insert(firstRows(table, source), false);
            }}
          />
          <IconButton
            icon={runIcon}
            label={`Insert query on ${table.name} and run it`}
            onClick={() => {
              insert(firstRows(table, source), true);
            }}
          />
          <IconButton
            icon={editIcon}
            label={`Write ${table.name} into the active cell`}
            onClick={() => {
              insertName({ source, table });
            }}
          />
          <IconButton
            icon={copyIcon}
            label={`Copy the name ${table.name}`}
            onClick={() => {
              Clipboard.copyToSystem(tableName(table, source));
            }}
          />
        </div>
      </div>
      {columns !== undefined && (
        <ColumnList columns={columns} source={source} insertName={insertName} />
      )}
      {children}
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
