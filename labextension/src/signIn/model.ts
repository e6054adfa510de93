import { VDomModel } from '@jupyterlab/ui-components';
import { Poll } from '@lumino/polling';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { AiserError, asAiserError, request } from '../api/request';
import type { ISignIn } from '../api/types';

const ONE = '/data/sign-ins/{id}';
const EXPIRED = new AiserError('The time to sign in has passed.', 'sign_in', 'Begin again.');
const OPENING = 'Opening the page to sign in…';

/**
 * One sign-in with the browser: a tab of the vendor's, and the server asked until the person was there.
 *
 * What the sign-in brings goes from the vendor to the server. Nothing of it comes here.
 */
export class SignInModel extends VDomModel {
  constructor() {
    super();
    this._poll = new Poll({
      name: 'aiser-jupyter:sign-in',
      auto: false,
      factory: () => this._turn(),
      frequency: { interval: 1500, backoff: true, max: 10000 }, // milliseconds
      standby: 'never' // the person is in the vendor's tab
    });
  }

  /** Null before the first, and after it was given up. */
  get current(): ISignIn | null {
    return this._current;
  }

  /** Of a pasted address, or of the way to the server, while it goes on. */
  get error(): AiserError | null {
    return this._error;
  }

  /** Why it ended without being done. */
  get ended(): AiserError | null {
    if (this.going) {
      return null;
    }
    const { error = null, state } = this._current ?? {};
    const late = state === 'expired' ? EXPIRED : null;
    return this._error ?? (error && AiserError.from(error)) ?? late;
  }

  /** From the press of the button until it is done, has failed or is given up. */
  get going(): boolean {
    return this._beginning || this._current?.state === 'waiting';
  }

  /** Whether the vendor's page was not allowed to open by itself. */
  get blocked(): boolean {
    return this._blocked;
  }

  get sending(): boolean {
    return this._sending;
  }

  /** Emitted with the id of the connection that is saved now. */
  get done(): ISignal<this, string> {
    return this._done;
  }

  /** Begin anew. To be called in the turn of a click: only then may a tab be opened. */
  async begin(body: object): Promise<void> {
    const tab = window.open('', '_blank');
    if (tab) {
      tab.opener = null; // the vendor's page cannot reach back
      tab.document.title = OPENING;
      tab.document.body.textContent = OPENING;
    }
    this._blocked = tab === null;
    this._beginning = true;
    this._take(null);
    try {
      const begun = await request('post', '/data/sign-ins', { body });
      if (this.isDisposed) {
        forget(begun.id);
        tab?.close();
        return;
      }
      tab?.location.replace(page(begun.url));
      this._current = begun;
      await this._poll.start();
    } catch (reason) {
      tab?.close();
      this._error = asAiserError(reason);
    } finally {
      this._beginning = false;
    }
    this._changed();
  }

  /** Finish it with the address of the page that the person ended on. */
  async paste(address: string): Promise<void> {
    const id = this._current?.id;
    if (id === undefined || this._sending) {
      return;
    }
    this._sending = true;
    this._error = null;
    this._changed();
    try {
      const found = await request('post', ONE, { id, body: { address: address.trim() } });
      if (id === this._current?.id) {
        this._take(found);
      }
    } catch (reason) {
      this._error = asAiserError(reason); // of another address: it waits on
    } finally {
      this._sending = false;
    }
    this._changed();
  }

  /** Give it up. */
  cancel(): void {
    if (this._current?.state === 'waiting') {
      forget(this._current.id);
    }
    this._take(null);
  }

  override dispose(): void {
    if (this._current?.state === 'waiting') {
      forget(this._current.id);
    }
    this._poll.dispose();
    super.dispose();
  }

  private async _turn(): Promise<void> {
    const id = this._current?.id;
    if (id === undefined || this._sending) {
      return;
    }
    let found: ISignIn | null = null;
    try {
      found = await request('get', ONE, { id });
    } catch (reason) {
      if (id === this._current?.id && !this.sending) {
        this._lost(asAiserError(reason));
      }
      throw reason; // the poll waits longer each time
    }
    if (id === this._current?.id && !this.sending) {
      this._take(found, this._unreached ? null : this._error);
    }
  }

  /** The server does not answer, or knows no such sign-in any more. */
  private _lost(error: AiserError): void {
    this._unreached = error.code === 'network';
    if (this._unreached) {
      this._error = error;
      this._changed();
    } else {
      this._take(null, error);
    }
  }

  private _take(found: ISignIn | null, error: AiserError | null = null): void {
    this._current = found;
    this._error = error;
    this._unreached = false;
    if (found?.state !== 'waiting') {
      void this._poll.stop();
    }
    this._changed();
    if (found?.state === 'done' && found.connection_id !== null) {
      this._done.emit(found.connection_id);
    }
  }

  private _changed(): void {
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  private _beginning = false;
  private _blocked = false;
  private _current: ISignIn | null = null;
  private _done = new Signal<this, string>(this);
  private _error: AiserError | null = null;
  private _poll: Poll;
  private _sending = false;
  private _unreached = false;
}

/** An address as a page of the web; a script is none. */
export function page(url: string): string {
  const found = new URL(url);
  if (found.protocol !== 'https:' && found.protocol !== 'http:') {
    throw new AiserError('The address of the page to sign in is not one of the web.', 'sign_in');
  }
  return found.href;
}

/** The server forgets it by itself, too, after some minutes. */
function forget(id: string): void {
  request('delete', ONE, { id }).catch(() => undefined);
}
