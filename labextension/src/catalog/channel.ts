/**
 * The comm to the kernel of the current notebook.
 *
 * The panel asks `{id, request, ...}` and the kernel answers `{id, ...}` or `{id, error}`; on its own account it
 * sends `{event}`. A kernel in which the extension is not loaded closes the comm at once. It is tried again after
 * the next cell, because that cell may have loaded it.
 */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { INotebookTracker, Notebook } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import { PromiseDelegate } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { AiserError } from '../api/request';
import type { IErrorBody } from '../api/types';

const TARGET = 'aiser_jupyter';

export type ChannelState =
  | 'no-notebook'
  | 'no-kernel'
  | 'not-python'
  | 'waiting' // for the kernel to say whether our extension is loaded
  | 'not-loaded'
  | 'open';

export type KernelEvent = 'changed' | 'history';

export class KernelChannel {
  constructor(private readonly tracker: INotebookTracker) {}

  get state(): ChannelState {
    return this._state;
  }

  get stateChanged(): ISignal<this, ChannelState> {
    return this._stateChanged;
  }

  /** What the kernel tells unasked. */
  get event(): ISignal<this, KernelEvent> {
    return this._event;
  }

  /** Follow the current notebook from now on; before that no kernel is spoken to. */
  start(): void {
    if (this._started) {
      return;
    }
    this._started = true;
    this.tracker.currentChanged.connect(this._follow, this);
    NotebookActions.executed.connect(this._onExecuted, this);
    this._follow();
  }

  /** Ask the kernel; rejects with its error, or when the channel closes first. */
  request<T>(body: JSONObject): Promise<T> {
    if (!this._comm) {
      return Promise.reject(new AiserError('The kernel is not connected.', 'closed'));
    }
    const id = this._nextId++;
    const answer = new PromiseDelegate<unknown>();
    this._pending.set(id, answer);
    void this._comm.send({ id, ...body });
    return answer.promise as Promise<T>;
  }

  private _follow(): void {
    this._session?.kernelChanged.disconnect(this._renew, this);
    this._session?.statusChanged.disconnect(this._onStatus, this);
    this._session = this.tracker.currentWidget?.sessionContext ?? null;
    this._session?.kernelChanged.connect(this._renew, this);
    this._session?.statusChanged.connect(this._onStatus, this);
    this._renew();
  }

  /** Another kernel, or none: begin anew. */
  private _renew(): void {
    const comm = this._comm;
    this._drop();
    if (comm && !comm.isDisposed && this._kernel?.isDisposed === false) {
      comm.close();
    }
    this._refused = false;
    void this._open();
  }

  private _onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      this._drop();
      this._refused = false;
      this._set(status === 'dead' ? 'no-kernel' : 'waiting');
    } else if (status === 'idle' && !this._refused) {
      void this._open();
    }
  }

  private _onExecuted(_: unknown, args: { notebook: Notebook }): void {
    if (this._refused && args.notebook === this.tracker.currentWidget?.content) {
      this._refused = false;
      void this._open();
    }
  }

  private async _open(): Promise<void> {
    const kernel = this._session?.session?.kernel;
    if (this._comm) {
      return;
    }
    if (!kernel) {
      this._set(this._session ? 'no-kernel' : 'no-notebook');
      return;
    }
    if (this._state !== 'not-loaded') {
      this._set('waiting');
    }
    const language = (await kernel.info).language_info.name;
    if (kernel !== this._session?.session?.kernel || this._isOpen()) {
      return;
    }
    if (language !== 'python') {
      this._set('not-python');
      return;
    }
    this._kernel = kernel;
    const comm = (this._comm = kernel.createComm(TARGET));
    comm.onMsg = message => {
      this._onMessage(message);
    };
    comm.onClose = () => {
      if (comm === this._comm) {
        this._drop();
        this._refused = true;
        this._set('not-loaded');
      }
    };
    // Done when the kernel has handled it; a refusal has arrived by then. A restart cancels it.
    await comm.open().done.catch(() => undefined);
    if (comm === this._comm) {
      this._set('open');
    }
  }

  private _isOpen(): boolean {
    return this._comm !== null;
  }

  private _onMessage(message: KernelMessage.ICommMsgMsg): void {
    const data = message.content.data as { id?: number; event?: KernelEvent; error?: IErrorBody };
    if (data.event) {
      this._event.emit(data.event);
    }
    const answer = this._pending.get(data.id ?? -1);
    if (!answer) {
      return;
    }
    this._pending.delete(data.id ?? -1);
    if (data.error) {
      answer.reject(AiserError.from(data.error));
    } else {
      answer.resolve(data);
    }
  }

  private _drop(): void {
    this._comm = null;
    for (const answer of this._pending.values()) {
      answer.reject(new AiserError('The kernel was disconnected.', 'closed'));
    }
    this._pending.clear();
  }

  private _set(state: ChannelState): void {
    if (state !== this._state) {
      this._state = state;
      this._stateChanged.emit(state);
    }
  }

  private _comm: Kernel.IComm | null = null;
  private _event = new Signal<this, KernelEvent>(this);
  private _kernel: Kernel.IKernelConnection | null = null;
  private _nextId = 1;
  private _pending = new Map<number, PromiseDelegate<unknown>>();
  private _refused = false;
  private _session: ISessionContext | null = null;
  private _started = false;
  private _state: ChannelState = 'no-notebook';
  private _stateChanged = new Signal<this, ChannelState>(this);
}
