import { VDomModel } from '@jupyterlab/ui-components';
import { Poll } from '@lumino/polling';

import type { AiserError } from '../api/request';
import { asAiserError } from '../api/request';

const IDLE = { interval: 5000, backoff: true, max: 15000 }; // milliseconds
const BUSY = { ...IDLE, interval: 1000 };

/** A model that the server is asked for every few seconds, while somebody looks. */
export abstract class PolledModel extends VDomModel {
  /** `interval` is in milliseconds, while nothing goes on. */
  constructor(name: string, interval = IDLE.interval) {
    super();
    this._idle = { ...IDLE, interval };
    this._poll = new Poll({
      name: `aiser-jupyter:${name}`,
      auto: false,
      factory: () => this._turn(),
      frequency: this._idle,
      standby: () => (this._visible ? 'when-hidden' : true)
    });
  }

  /** Of the last time that it was asked. */
  get error(): AiserError | null {
    return this._error;
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
  async refresh(): Promise<void> {
    if (this._visible) {
      await this._poll.refresh();
    }
  }

  override dispose(): void {
    this._poll.dispose();
    super.dispose();
  }

  /** Ask the server; resolves with whether to ask again soon. */
  protected abstract load(): Promise<boolean>;

  private async _turn(): Promise<void> {
    try {
      this._poll.frequency = (await this.load()) ? BUSY : this._idle;
      this._error = null;
    } catch (reason) {
      this._error = asAiserError(reason);
      throw reason; // the poll waits longer each time
    } finally {
      this.stateChanged.emit();
    }
  }

  private _error: AiserError | null = null;
  private readonly _idle: typeof IDLE;
  private _open = new Set<string>();
  private _poll: Poll;
  private _visible = false;
}
