import { VDomModel } from '@jupyterlab/ui-components';
import { Debouncer, Poll } from '@lumino/polling';

import type { AiserError } from '../api/request';
import { asAiserError, get } from '../api/request';
import type { IHistoryEntry, IHistoryReply } from '../api/types';

const LIMIT = '100';
const IDLE = { interval: 5000, backoff: true, max: 60000 }; // milliseconds
const BUSY = { ...IDLE, interval: 1000 };

/** The runs in the store, asked for every few seconds while somebody looks. */
export class HistoryModel extends VDomModel {
  /** Null until the server has told. */
  get entries(): IHistoryEntry[] | null {
    return this._entries;
  }

  get error(): AiserError | null {
    return this._error;
  }

  get search(): string {
    return this._search;
  }

  set search(value: string) {
    this._search = value;
    this.stateChanged.emit();
    void this._typed.invoke();
  }

  get visible(): boolean {
    return this._visible;
  }

  set visible(value: boolean) {
    this._visible = value;
    if (value) {
      void this._poll.refresh();
    }
  }

  isOpen(id: string): boolean {
    return this._open.has(id);
  }

  toggle(id: string): void {
    if (!this._open.delete(id)) {
      this._open.add(id);
    }
    this.stateChanged.emit();
  }

  collapseAll(): void {
    this._open.clear();
    this.stateChanged.emit();
  }

  /** Ask now, if somebody looks. */
  refresh(): void {
    if (this._visible) {
      void this._poll.refresh();
    }
  }

  override dispose(): void {
    this._poll.dispose();
    this._typed.dispose();
    super.dispose();
  }

  private async _fetch(): Promise<void> {
    const search = this._search;
    try {
      const reply = await get<IHistoryReply>('data/query/history', { limit: LIMIT, search });
      if (search !== this._search) {
        return; // typed on meanwhile: the debouncer asks again
      }
      this._entries = reply.history;
      this._error = null;
      this._poll.frequency = reply.history.some(isActive) ? BUSY : IDLE;
    } catch (reason) {
      this._error = asAiserError(reason);
      throw reason; // the poll waits longer each time
    } finally {
      this.stateChanged.emit();
    }
  }

  private _entries: IHistoryEntry[] | null = null;
  private _error: AiserError | null = null;
  private _open = new Set<string>();
  private _search = '';
  private _visible = false;
  private _poll = new Poll({
    name: 'aiser-jupyter:history',
    auto: false,
    factory: () => this._fetch(),
    frequency: IDLE,
    standby: () => (this._visible ? 'when-hidden' : true)
  });
  private _typed = new Debouncer(() => this._poll.refresh(), 250);
}

export function isActive(entry: IHistoryEntry): boolean {
  return entry.state === 'queued' || entry.state === 'running';
}
