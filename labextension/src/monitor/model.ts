import { Debouncer } from '@lumino/polling';

import type { AiserError } from '../api/request';
import { asAiserError, request } from '../api/request';
import type { IHistoryEntry } from '../api/types';
import { PolledModel } from '../components/polled';

const LIMIT = '100';

/** The runs of all kernels and of the server: those that go on, and those that ended. */
export class HistoryModel extends PolledModel {
  constructor() {
    super('history');
  }

  /** What waits or runs now, whatever is searched for; null until the server has told. */
  get active(): readonly IHistoryEntry[] | null {
    return this._active;
  }

  /** What ended, as far as the search finds it; null until the server has told. */
  get ended(): readonly IHistoryEntry[] | null {
    return this._ended;
  }

  get search(): string {
    return this._search;
  }

  set search(value: string) {
    this._search = value;
    this.stateChanged.emit();
    void this._typed.invoke();
  }

  isStopping(id: string): boolean {
    return this._stopping.has(id);
  }

  /** Why a run could not be asked to stop. */
  refusal(id: string): AiserError | undefined {
    return this._refusals.get(id);
  }

  async cancel(id: string): Promise<void> {
    this._stopping.add(id);
    this._refusals.delete(id);
    this.stateChanged.emit();
    try {
      await request('post', '/data/query/{id}/cancel', { id, body: {} });
    } catch (reason) {
      this._stopping.delete(id);
      this._refusals.set(id, asAiserError(reason));
    }
    this.stateChanged.emit();
    await this.refresh();
  }

  override dispose(): void {
    this._typed.dispose();
    super.dispose();
  }

  protected override async load(): Promise<boolean> {
    const search = this._search.trim();
    const [all, found] = await Promise.all([history(''), search ? history(search) : null]);
    this._active = all.filter(isActive);
    if (search === this._search.trim()) {
      this._ended = (found ?? all).filter(entry => !isActive(entry));
    } // else typed on meanwhile: the debouncer asks again
    for (const ids of [this._stopping, this._refusals]) {
      for (const id of ids.keys()) {
        if (!this._active.some(entry => entry.id === id)) {
          ids.delete(id);
        }
      }
    }
    return this._active.length > 0;
  }

  private _active: IHistoryEntry[] | null = null;
  private _ended: IHistoryEntry[] | null = null;
  private _refusals = new Map<string, AiserError>();
  private _search = '';
  private _stopping = new Set<string>();
  private _typed = new Debouncer(() => this.refresh(), 250);
}

async function history(search: string): Promise<readonly IHistoryEntry[]> {
  const query = { limit: LIMIT, search };
  return (await request('get', '/data/query/history', { query })).history;
}

export function isActive(entry: IHistoryEntry): boolean {
  return entry.state === 'queued' || entry.state === 'running';
}
