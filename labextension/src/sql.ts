/** Writes the cells and names that the panel inserts. */

import type { ITable } from './api/types';

/** Where a table lives: a connection, as far as its name and its dialect count. */
export interface ISource {
  name: string;
  type: string;
}

/** The notebook's own tables, which need no connection in front. */
export const LOCAL: ISource = { name: 'local', type: 'duckdb' };

/** A table or a column to be written into a cell. */
export type IName = { source: ISource } & ({ table: ITable } | { column: string });

const RESERVED = new Set(
  (
    'all analyse analyze and any array as asc asymmetric authorization between binary both by case ' +
    'cast check collate collation column concurrently constraint create cross current_catalog ' +
    'current_date current_role current_schema current_time current_timestamp current_user default ' +
    'deferrable delete desc describe distinct do drop else end except exists false fetch for ' +
    'foreign freeze from full grant group having ilike in initially inner insert intersect into is ' +
    'isnull join key lambda lateral leading left like limit localtime localtimestamp natural not ' +
    'notnull null offset on only or order outer overlaps pivot pivot_longer pivot_wider placing ' +
    'primary qualify references returning right select session_user set show similar some ' +
    'summarize symmetric system_user table tablesample then to trailing true union unique unpivot ' +
    'update user using values variadic verbose when where window with'
  ).split(' ')
);

/** A name between quotes, whatever it holds. */
export function quoted(name: string, quote = '"'): string {
  return quote + name.replaceAll(quote, quote + quote) + quote;
}

/**
 * A name as SQL writes it: bare where that is safe, else quoted.
 *
 * MySQL has its own quotes and words. PostgreSQL folds what is bare to small letters, DuckDB does not mind.
 */
export function identifier(name: string, type = LOCAL.type): string {
  const bare = type === 'duckdb' ? /^[A-Za-z_][A-Za-z0-9_]*$/ : /^[a-z_][a-z0-9_]*$/;
  if (bare.test(name) && !RESERVED.has(name.toLowerCase()) && type !== 'mysql') {
    return name;
  }
  return quoted(name, type === 'mysql' ? '`' : '"');
}

/** What stands after FROM in a cell of the table's own connection: a path as text, a table by its name. */
export function tableName(table: ITable, source = LOCAL): string {
  if (table.kind === 'file') {
    return `'${table.name.replaceAll("'", "''")}'`;
  }
  const parts = table.schema ? [table.schema, table.name] : [table.name];
  return parts.map(part => identifier(part, source.type)).join('.');
}

/** A cell that shows the first rows of a table. */
export function firstRows(table: ITable, source = LOCAL): string {
  return magicCell(`SELECT * FROM ${tableName(table, source)} LIMIT 100`, source.name);
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

/** A name as it has to stand in the cell with this text: with the connection in front unless the cell names it. */
export function nameIn(cell: string, name: IName): string {
  const { source } = name;
  const own = source.name === LOCAL.name || namesConnection(cell, source.name);
  const type = own ? source.type : LOCAL.type; // DuckDB reads what comes from several places
  if ('column' in name) {
    return identifier(name.column, type);
  }
  const table = tableName(name.table, { ...source, type });
  return own ? table : `${identifier(source.name)}.${table}`;
}

/** Whether the line of a `%%aiser` cell names this connection. */
export function namesConnection(cell: string, connection: string): boolean {
  const line = /^(?:[ \t]*(?:#[^\n]*)?\n)*%%aiser(?![\w-])([^\n]*)/.exec(cell)?.[1] ?? '';
  const words = line
    .replace(/[^\W\d]\w*\s*=?\s*<<.*$/, '')
    .replaceAll('=', ' ')
    .split(/\s+/);
  const at = words.findIndex(word => word.replace(/^(['"])(.*)\1$/, '$2') === connection);
  return at >= 0 && words[at - 1] !== '-o' && words[at - 1] !== '--output';
}
