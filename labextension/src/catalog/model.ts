import { VDomModel } from '@jupyterlab/ui-components';

import type { IConnection } from '../api/types';
import type { ConnectionsModel } from '../connections/model';
import { LOCAL } from '../sql';
import { DatabaseCatalog } from './database';
import type { KernelCatalog } from './kernel';

/** Which catalog is looked at: that of the notebook, or that of a connection. */
export class CatalogModel extends VDomModel {
  constructor(
    readonly kernel: KernelCatalog,
    private readonly known: ConnectionsModel
  ) {
    super();
    kernel.stateChanged.connect(this._emit, this);
    known.stateChanged.connect(this._onConnections, this);
  }

  /** Connections that have a catalog here. */
  get connections(): readonly IConnection[] {
    return this.known.shown ?? [];
  }

  /** Id of the connection that is looked at; that of `local` is the notebook. */
  get selected(): string {
    return this._database?.connection.id ?? LOCAL.name;
  }

  /** The connection that is looked at, or null where it is the notebook. */
  get database(): DatabaseCatalog | null {
    return this._database;
  }

  select(id: string): void {
    const connection = this.connections.find(each => each.id === id);
    if (id === this.selected && connection?.version === this._database?.connection.version) {
      return;
    }
    this._database?.dispose();
    this._database = connection ? new DatabaseCatalog(connection) : null;
    this._database?.stateChanged.connect(this._emit, this);
    this._emit();
    void this.refresh();
  }

  get visible(): boolean {
    return this.kernel.visible;
  }

  set visible(value: boolean) {
    this.kernel.visible = value;
    if (value) {
      void this.refresh();
    }
  }

  collapseAll(): void {
    (this._database ?? this.kernel).collapseAll();
  }

  /** Ask again; `force` also where nothing is known to have changed. */
  async refresh(force = false): Promise<void> {
    if (this.visible) {
      await (this._database ?? this.kernel).refresh(force);
    }
  }

  /** One that changed leads elsewhere; one that is gone has no catalog. */
  private _onConnections(): void {
    if (this._database && this.known.shown) {
      this.select(this._database.connection.id);
    }
    this._emit();
  }

  private _emit(): void {
    this.stateChanged.emit();
  }

  private _database: DatabaseCatalog | null = null;
}
