import { VDomModel } from '@jupyterlab/ui-components';

import type { AiserError } from '../api/request';
import { asAiserError } from '../api/request';
import type { ITable } from '../api/types';
import type { ChannelState, KernelChannel } from './channel';
import type { Columns } from './tree';
import { key } from './tree';

/** What `local` holds in the current notebook's kernel: its DataFrames and the files beside it. */
export class KernelCatalog extends VDomModel {
  constructor(private readonly channel: KernelChannel) {
    super();
    channel.stateChanged.connect(this._onState, this);
    channel.event.connect((_, event) => {
      if (event === 'changed') {
        this._stale = true;
        void this.refresh();
      }
    });
  }

  get state(): ChannelState {
    return this.channel.state;
  }

  /** Null until the kernel has told. */
  get tables(): ITable[] | null {
    return this._tables;
  }

  get error(): AiserError | null {
    return this._error;
  }

  get filter(): string {
    return this._filter;
  }

  set filter(value: string) {
    this._filter = value;
    this.stateChanged.emit();
  }

  get visible(): boolean {
    return this._visible;
  }

  /** Nothing is asked of a kernel for a panel that nobody sees. */
  set visible(value: boolean) {
    this._visible = value;
    if (value) {
      this.channel.start();
      void this.refresh();
    }
  }

  /** Columns of a table that is open, or undefined where it is closed. */
  columns(table: ITable): Columns | undefined {
    return this._open.get(key(table));
  }

  toggle(table: ITable): void {
    if (this._open.delete(key(table))) {
      this.stateChanged.emit();
    } else {
      this._open.set(key(table), table.columns ?? 'loading');
      this.stateChanged.emit();
      void this._loadColumns(table);
    }
  }

  collapseAll(): void {
    this._open.clear();
    this.stateChanged.emit();
  }

  /** Ask again; `force` also where nothing is known to have changed. */
  async refresh(force = false): Promise<void> {
    if (!this._visible || this.state !== 'open' || !(this._stale || force)) {
      return;
    }
    this._stale = false;
    const turn = ++this._turn;
    try {
      const reply = await this.channel.request<{ tables: ITable[] }>({ request: 'tables' });
      if (turn === this._turn) {
        this._tables = reply.tables;
        this._error = null;
        this._reopen(reply.tables);
      }
    } catch (reason) {
      if (turn === this._turn) {
        this._error = asAiserError(reason);
        this._stale = true; // the next look asks again
      }
    }
    this.stateChanged.emit();
  }

  private _onState(): void {
    if (this.state !== 'waiting') {
      this._turn += 1; // an answer of the kernel before is not one of this kernel
      this._tables = null;
      this._error = null;
      this._stale = true;
    }
    this.stateChanged.emit();
    void this.refresh();
  }

  /** A table keeps its open columns while it is asked for them again; one that is gone is forgotten. */
  private _reopen(tables: ITable[]): void {
    const known = new Map(tables.map(table => [key(table), table]));
    for (const name of this._open.keys()) {
      const table = known.get(name);
      if (table) {
        void this._loadColumns(table);
      } else {
        this._open.delete(name);
      }
    }
  }

  private async _loadColumns(table: ITable): Promise<void> {
    let columns: Columns;
    try {
      const reply = await this.channel.request<{ table: ITable }>({
        request: 'columns',
        table: table.name,
        kind: table.kind
      });
      columns = reply.table.columns ?? [];
    } catch (reason) {
      columns = asAiserError(reason);
    }
    if (this._open.has(key(table))) {
      this._open.set(key(table), columns);
      this.stateChanged.emit();
    }
  }

  private _error: AiserError | null = null;
  private _filter = '';
  private _open = new Map<string, Columns>();
  private _stale = true;
  private _tables: ITable[] | null = null;
  private _turn = 0;
  private _visible = false;
}
