/** What the two catalogs, of a kernel and of a database, have in common. */

import type { AiserError } from '../api/request';
import type { IColumn, ITable } from '../api/types';
import type { IName } from '../sql';

/** The columns of an opened table: on their way, there, or refused. */
export type Columns = 'loading' | readonly IColumn[] | AiserError;

/** What can be done with a table or a column that is shown. */
export interface ITableActions {
  /** Insert a cell, and run it if asked. */
  insert: (source: string, run: boolean) => void;
  /** Write a name at the cursor of the active cell. */
  insertName: (name: IName) => void;
}

/** What tells one table from another. */
export function key(table: ITable): string {
  return JSON.stringify([table.kind, table.schema, table.name]);
}
