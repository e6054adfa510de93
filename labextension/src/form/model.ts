import { VDomModel } from '@jupyterlab/ui-components';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { AiserError } from '../api/request';
import { asAiserError, request } from '../api/request';
import type { IConnection, IConnectionTest, IConnector } from '../api/types';
import type { Typed } from './values';
import {
  all,
  changes,
  initial,
  isSet,
  mistakes,
  NAME,
  NAME_HELP,
  passwordIn,
  withoutSecrets
} from './values';

export type Busy = '' | 'reading' | 'testing' | 'saving';

const TEST = '/data/enterprise/connections/test';

/** A connection that is being written or changed: typed, tested, saved. */
export class FormModel extends VDomModel {
  constructor(readonly saved: IConnection | null) {
    super();
    this.name = saved?.name ?? '';
    void this.load();
  }

  /** Null until the server has told. */
  connectors: readonly IConnector[] | null = null;
  connector: IConnector | null = null;
  name: string;
  typed: Typed = {};
  url = '';
  busy: Busy = '';
  /** Of the connectors, a URL, a test or a save. */
  error: AiserError | null = null;
  /** What is wrong by field; `name` is the name. */
  mistakes: Record<string, string> = {};
  /** Counts the submits that were refused, so that the form moves to the first mistake. */
  refused = 0;
  test: IConnectionTest | null = null;

  /** Emitted with the connection when it was saved. */
  get done(): ISignal<this, IConnection> {
    return this._done;
  }

  /** Whether exactly what is typed now has passed a test. */
  get passed(): boolean {
    return this.test?.success === true && this._tested === this._fingerprint();
  }

  /** Whether something was typed since the test. */
  get stale(): boolean {
    return this.test !== null && this._tested !== this._fingerprint();
  }

  async load(): Promise<void> {
    await this._during('reading', async () => {
      this.connectors = (await request('get', '/data/enterprise/connectors')).connectors;
      if (this.saved) {
        this.choose(this.saved.type);
      }
    });
  }

  /** Take another kind of database; what both have keeps its value. */
  choose(type: string): void {
    const connector = this.connectors?.find(each => each.type === type) ?? null;
    if (connector && connector !== this.connector) {
      const fresh = initial(connector, this.saved?.config);
      const kept = Object.entries(this.typed).filter(
        ([name, value]) => name in fresh && typeof value === 'string' && value !== ''
      );
      this.typed = { ...fresh, ...Object.fromEntries(kept) };
      this.connector = connector;
      this.mistakes = {};
      this.test = null;
    }
    this.stateChanged.emit();
  }

  rename(name: string): void {
    this.name = name;
    this._forgive('name');
  }

  write(field: string, value: Typed[string]): void {
    this.typed = { ...this.typed, [field]: value };
    this._forgive(field);
  }

  /** Have the server take a URL apart, fill the fields with it, and show what a test of it found. */
  async readUrl(): Promise<void> {
    const url = this.url.trim();
    this.url = withoutSecrets(url); // what stays where it cannot be read
    await this._during('reading', async () => {
      const test = await request('post', TEST, { body: { connection_string: url } });
      const { type, config } = test.connection_info as {
        type: string;
        config: IConnection['config'];
      };
      const connector = this.connectors?.find(each => each.type === type);
      if (!connector) {
        return;
      }
      this.connector = connector;
      this.typed = initial(connector, config);
      for (const { name, secret } of connector.fields) {
        if (secret) {
          this.typed[name] = name === 'password' && isSet(config[name]) ? passwordIn(url) : '';
        }
      }
      this.url = '';
      this.mistakes = {};
      this._keep(test);
    });
  }

  async tryOut(): Promise<void> {
    if (!this._check()) {
      return;
    }
    await this._during('testing', async () => {
      this.test = null;
      const asked = this._fingerprint();
      const test = await request('post', TEST, { body: this._body(false) });
      this._keep(test, asked);
    });
  }

  async save(): Promise<void> {
    if (!this.passed || !this._check(true)) {
      return;
    }
    await this._during('saving', async () => {
      const { connection } = this.saved
        ? await request('patch', '/data/enterprise/connections/{id}', {
            id: this.saved.id,
            body: this._body(true)
          })
        : await request('post', '/data/enterprise/connections', { body: this._body(true) });
      this._done.emit(connection);
    });
  }

  private _body(named: boolean): Record<string, unknown> {
    if (!this.connector) {
      return {};
    }
    if (this.saved) {
      const changed = changes(this.connector, this.typed, this.saved.config);
      return named ? { name: this.name, ...changed } : { id: this.saved.id, ...changed };
    }
    const name = named ? { name: this.name } : {};
    return { type: this.connector.type, ...name, ...all(this.connector, this.typed) };
  }

  /** Whether what is typed can be sent; else the form says what is wrong. */
  private _check(named = false): boolean {
    if (!this.connector) {
      return false;
    }
    this.mistakes = mistakes(this.connector, this.typed, this.saved?.config ?? null);
    if (named && !NAME.test(this.name)) {
      this.mistakes = { name: this.name ? NAME_HELP : 'Name is needed.', ...this.mistakes };
    }
    const fine = Object.keys(this.mistakes).length === 0;
    this.refused += fine ? 0 : 1;
    this.stateChanged.emit();
    return fine;
  }

  private _forgive(field: string): void {
    this.mistakes = Object.fromEntries(
      Object.entries(this.mistakes).filter(([name]) => name !== field)
    );
    this.stateChanged.emit();
  }

  private _keep(test: IConnectionTest, asked = this._fingerprint()): void {
    this.test = test;
    this._tested = asked;
  }

  private _fingerprint(): string {
    return JSON.stringify(this._body(false), (_, value: unknown) => value ?? null);
  }

  private async _during(busy: Busy, action: () => Promise<void>): Promise<void> {
    this.busy = busy;
    this.error = null;
    this.stateChanged.emit();
    try {
      await action();
    } catch (reason) {
      this.error = asAiserError(reason);
    } finally {
      this.busy = '';
    }
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  private _done = new Signal<this, IConnection>(this);
  private _tested = '';
}
