import { VDomModel } from '@jupyterlab/ui-components';
import { Debouncer } from '@lumino/polling';

import type { AiserError } from '../api/request';
import { asAiserError, request } from '../api/request';
import type { ICatalog, IColumn, IConnection, ITable } from '../api/types';
import { quoted } from '../sql';
import type { Columns } from './tree';
import { key } from './tree';

const HITS = '200';
/** More tables than this are not drawn until one searches, or opens their schema. */
const FEW = 40;

/** A table that a search found, with those of its columns that the search found. */
export interface IFound {
  table: ITable;
  columns: IColumn[];
}

/** The schemas, tables and columns of one connection: each is asked for when it is first looked at. */
export class DatabaseCatalog extends VDomModel {
  constructor(readonly connection: IConnection) {
    super();
  }

  get error(): AiserError | null {
    return this._error;
  }

  get loading(): boolean {
    return this._loading;
  }

  /** Null until the database has told. */
  get schemas(): readonly string[] | null {
    return this._listing && this._schemas;
  }

  tablesOf(schema: string): readonly ITable[] {
    return this._bySchema.get(schema) ?? [];
  }

  get search(): string {
    return this._search;
  }

  set search(value: string) {
    this._search = value;
    this._found = null;
    this.stateChanged.emit();
    void this._typed.invoke();
  }

  /** Null without a search, and until it is answered. */
  get found(): readonly IFound[] | null {
    return this._found;
  }

  /** Whether there may be more than `found`. */
  get cut(): boolean {
    return this._cut;
  }

  isOpen(schema: string): boolean {
    return this._openSchemas.has(schema);
  }

  toggleSchema(schema: string): void {
    if (!this._openSchemas.delete(schema)) {
      this._openSchemas.add(schema);
    }
    this.stateChanged.emit();
  }

  /** Columns of a table that is open, or undefined where it is closed. */
  columns(table: ITable): Columns | undefined {
    return this._open.get(key(table));
  }

  toggle(table: ITable): void {
    if (this._open.delete(key(table))) {
      this.stateChanged.emit();
    } else {
      void this._loadColumns(table);
    }
  }

  collapseAll(): void {
    this._open.clear();
    this._openSchemas.clear();
    this.stateChanged.emit();
  }

  /** Read the list of tables if it is not known, or with `force` again from the database. */
  async refresh(force = false): Promise<void> {
    if (this._loading || (this._listing && !force)) {
      return;
    }
    this._loading = true;
    this._error = null;
    this.stateChanged.emit();
    try {
      this._take(await this._ask(force ? { refresh: 'true' } : {}));
    } catch (reason) {
      this._error = asAiserError(reason);
    } finally {
      this._loading = false;
    }
    this.stateChanged.emit();
  }

  override dispose(): void {
    this._typed.dispose();
    super.dispose();
  }

  private _take(listing: ICatalog): void {
    const first = this._listing === null;
    this._listing = listing;
    this._bySchema.clear();
    for (const table of listing.tables) {
      const schema = table.schema ?? '';
      this._bySchema.set(schema, [...(this._bySchema.get(schema) ?? []), table]);
    }
    this._schemas = [...new Set([...listing.schemas, ...this._bySchema.keys()])];
    const known = new Set(listing.tables.map(key));
    for (const [name, table] of this._opened) {
      if (!known.has(name)) {
        this._open.delete(name);
        this._opened.delete(name);
      } else if (this._open.has(name)) {
        void this._loadColumns(table);
      }
    }
    if (first && (this._schemas.length === 1 || listing.tables.length <= FEW)) {
      this._openSchemas = new Set(this._schemas);
    }
  }

  private async _loadColumns(table: ITable): Promise<void> {
    const name = key(table);
    if (!this._open.has(name)) {
      this._open.set(name, 'loading');
    }
    this._opened.set(name, table);
    this.stateChanged.emit();
    const parts = table.schema === null ? [table.name] : [table.schema, table.name];
    let columns: Columns;
    try {
      const reply = await this._ask({ table_name: parts.map(part => quoted(part)).join('.') });
      columns = reply.tables[0]?.columns ?? [];
    } catch (reason) {
      columns = asAiserError(reason);
    }
    if (this._open.has(name)) {
      this._open.set(name, columns);
      this.stateChanged.emit();
    }
  }

  private async _find(): Promise<void> {
    const search = this._search.trim();
    if (!search) {
      return;
    }
    try {
      const { hits } = await this._ask({ search, limit: HITS });
      if (search !== this._search.trim()) {
        return; // typed on meanwhile: the debouncer asks again
      }
      const found = new Map<string, IFound>();
      for (const { table, column } of hits ?? []) {
        const known = found.get(key(table)) ?? { table, columns: [] };
        found.set(key(table), known);
        if (column) {
          known.columns.push(column);
        }
      }
      this._found = [...found.values()];
      this._cut = (hits ?? []).length >= Number(HITS);
      this._error = null;
    } catch (reason) {
      this._error = asAiserError(reason);
    }
    this.stateChanged.emit();
  }

  private _ask(query: Record<string, string>): Promise<ICatalog> {
    const { id } = this.connection;
    return request('get', '/data/enterprise/connections/{id}/schema', { id, query });
  }

  private _bySchema = new Map<string, ITable[]>();
  private _cut = false;
  private _error: AiserError | null = null;
  private _found: IFound[] | null = null;
  private _listing: ICatalog | null = null;
  private _loading = false;
  private _open = new Map<string, Columns>();
  private _opened = new Map<string, ITable>();
  private _openSchemas = new Set<string>();
  private _schemas: string[] = [];
  private _search = '';
  private _typed = new Debouncer(() => this._find(), 250);
}
