/** Writes the cells that the panel inserts. */

import type { ITable } from './api/types';

const RESERVED = new Set(
  (
    'all analyse analyze and any array as asc asymmetric both case cast check collate column ' +
    'constraint create default deferrable desc describe distinct do else end except false fetch ' +
    'for foreign from group having in initially intersect into lambda lateral leading limit not ' +
    'null offset on only or order pivot pivot_longer pivot_wider placing primary qualify ' +
    'references returning select show some summarize symmetric table then to trailing true ' +
    'union unique unpivot using variadic when where window with'
  ).split(' ')
);

/** A name as SQL writes it: bare where that is safe, else quoted. */
export function identifier(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !RESERVED.has(name.toLowerCase())
    ? name
    : `"${name.replaceAll('"', '""')}"`;
}

/** What stands after FROM: a path as text, a table by its name. */
export function tableName(table: ITable): string {
  if (table.kind === 'file') {
    return `'${table.name.replaceAll("'", "''")}'`;
  }
  const name = identifier(table.name);
  return table.schema ? `${identifier(table.schema)}.${name}` : name;
}

/** A cell that shows the first rows of a table. */
export function firstRows(table: ITable): string {
  return magicCell(`SELECT * FROM ${tableName(table)} LIMIT 100`);
}

/** A `%%aiser` cell. `local` needs no name, and an engine stands in it only where one was pinned. */
export function magicCell(sql: string, connection = 'local', engine = ''): string {
  const words = ['%%aiser'];
  if (connection !== 'local') {
    words.push(/^[\w.-]+$/.test(connection) ? connection : `'${connection}'`);
  }
  if (engine) {
    words.push('--engine', engine);
  }
  return `${words.join(' ')}\n${sql}`;
}
