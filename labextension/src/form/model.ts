import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { request } from '../api/request';
import type { IConnection, IConnectionTest, IConnector } from '../api/types';
import { SignInModel } from '../signIn/model';
import { DoingModel } from './doing';
import type { Browser, Typed } from './values';
import * as values from './values';

const TEST = '/data/enterprise/connections/test';

/** A connection that is being written or changed: typed, tested, saved. */
export class FormModel extends DoingModel {
  constructor(readonly saved: IConnection | null) {
    super();
    this.name = saved?.name ?? '';
    this.signIn.stateChanged.connect(() => {
      this.stateChanged.emit();
    });
    this.signIn.done.connect((_, id) => void this._signedIn(id));
    void this.load();
  }

  /** Null until the server has told. */
  connectors: readonly IConnector[] | null = null;
  connector: IConnector | null = null;
  readonly signIn = new SignInModel();
  name: string;
  typed: Typed = {};
  url = '';
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

  /** Whether it is saved by a sign-in with the browser: '' where that is not the way that is chosen. */
  get browser(): Browser {
    return this.connector ? values.browserOf(this.connector, this.typed, this.saved) : '';
  }

  /** Whether something was typed since the test. */
  get stale(): boolean {
    return this.test !== null && this._tested !== this._fingerprint();
  }

  async load(): Promise<void> {
    await this.during('reading', async () => {
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
      this.typed = values.taken(connector, this.typed, this.saved?.config);
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
    this.url = values.withoutSecrets(url); // what stays where it cannot be read
    await this.during('reading', async () => {
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
      this.typed = values.ofUrl(connector, config, url);
      this.url = '';
      this.mistakes = {};
      this._keep(test);
    });
  }

  /** What a press of Enter means now. In its own turn, for a sign-in opens a tab. */
  submit(): void {
    if (this.busy || this.signIn.going) {
      return;
    }
    if (this.browser === 'needed') {
      this.beginSignIn();
    } else {
      void (this.passed ? this.save() : this.tryOut());
    }
  }

  beginSignIn(): void {
    if (this._check(true)) {
      this.error = null;
      this.test = null;
      const connection = this._body(true);
      void this.signIn.begin(
        this.saved ? { connection_id: this.saved.id, connection } : { connection }
      );
    }
  }

  async tryOut(): Promise<void> {
    if (!this._check()) {
      return;
    }
    await this.during('testing', async () => {
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
    await this.during('saving', async () => {
      const { connection } = this.saved
        ? await request('patch', '/data/enterprise/connections/{id}', {
            id: this.saved.id,
            body: this._body(true)
          })
        : await request('post', '/data/enterprise/connections', { body: this._body(true) });
      this._done.emit(connection);
    });
  }

  override dispose(): void {
    this.signIn.dispose();
    super.dispose();
  }

  private _body(named: boolean): Record<string, unknown> {
    const { connector, saved, typed, name } = this;
    if (!connector) {
      return {};
    }
    const known = named ? { name } : saved ? { id: saved.id } : {};
    return { ...known, ...values.sent(connector, typed, saved) };
  }

  /** The server has saved it. */
  private async _signedIn(id: string): Promise<void> {
    await this.during('saving', async () => {
      const path = '/data/enterprise/connections/{id}';
      this._done.emit((await request('get', path, { id })).connection);
    });
  }

  /** Whether what is typed can be sent; else the form says what is wrong. */
  private _check(named = false): boolean {
    if (!this.connector) {
      return false;
    }
    this.mistakes = values.mistakes(this.connector, this.typed, this.saved?.config ?? null);
    if (named && !values.NAME.test(this.name)) {
      this.mistakes['name'] = this.name ? values.NAME_HELP : 'Name is needed.';
    }
    const fine = Object.keys(this.mistakes).length === 0;
    this.refused += fine ? 0 : 1;
    this.stateChanged.emit();
    return fine;
  }

  private _forgive(field: string): void {
    const others = Object.entries(this.mistakes).filter(([name]) => name !== field);
    this.mistakes = Object.fromEntries(others);
    this.stateChanged.emit();
  }

  private _keep(test: IConnectionTest, asked = this._fingerprint()): void {
    this.test = test;
    this._tested = asked;
  }

  private _fingerprint(): string {
    return JSON.stringify(this._body(false), (_, value: unknown) => value ?? null);
  }

  private _done = new Signal<this, IConnection>(this);
  private _tested = '';
}
