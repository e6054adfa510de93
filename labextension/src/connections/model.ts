import type { AiserError } from '../api/request';
import { asAiserError, request } from '../api/request';
import type { IConnection, IConnectionHealth } from '../api/types';
import { PolledModel } from '../components/polled';
import { SignInModel } from '../signIn/model';

/** The connections of this person, and whether they answer. */
export class ConnectionsModel extends PolledModel {
  constructor() {
    super('connections');
  }

  /** All but `local`, which is always there; null until the server has told. */
  get shown(): readonly IConnection[] | null {
    return this._shown;
  }

  health(id: string): IConnectionHealth | undefined {
    return this._health.get(id);
  }

  isChecking(id: string): boolean {
    return this._checking.has(id);
  }

  /** Why the last thing that was asked of a connection here did not work. */
  refusal(id: string): AiserError | undefined {
    return this._refusals.get(id);
  }

  /** Ask the database now whether it answers. */
  async check(id: string): Promise<void> {
    this._checking.add(id);
    await this._try(id, async () => {
      const path = '/data/enterprise/connections/{id}/health';
      const { health } = await request('post', path, { id, body: {} });
      this._health.set(id, health);
    });
    this._checking.delete(id);
    this.stateChanged.emit();
  }

  /** A sign-in that was begun in the row of a connection. */
  signIn(id: string): SignInModel | undefined {
    return this._signIns.get(id);
  }

  /** Sign in again, for a saved connection; in the turn of a click, for it opens a tab. */
  async beginSignIn(id: string): Promise<void> {
    let signIn = this._signIns.get(id);
    if (!signIn) {
      signIn = new SignInModel();
      this._signIns.set(id, signIn);
      signIn.stateChanged.connect(() => {
        this.stateChanged.emit();
      });
      signIn.done.connect(() => {
        this._endSignIn(id);
        void this.check(id);
      });
    }
    await signIn.begin({ connection_id: id });
  }

  override dispose(): void {
    for (const id of [...this._signIns.keys()]) {
      this._endSignIn(id);
    }
    super.dispose();
  }

  /** Forget a connection and its secrets. */
  async remove(id: string): Promise<void> {
    await this._try(id, async () => {
      await request('delete', '/data/enterprise/connections/{id}', { id });
      this._endSignIn(id);
    });
    await this.refresh();
  }

  protected override async load(): Promise<boolean> {
    const [listed, health] = await Promise.all([
      request('get', '/data/enterprise/connections'),
      request('get', '/data/health') // has the connections asked in the background from now on
    ]);
    this._shown = listed.connections.filter(each => each.source !== 'builtin');
    this._health = new Map(health.connections.map(each => [each.id, each]));
    return this._shown.some(each => this.health(each.id)?.status === 'unknown' && !each.problem);
  }

  private _endSignIn(id: string): void {
    this._signIns.get(id)?.dispose();
    this._signIns.delete(id);
  }

  private async _try(id: string, action: () => Promise<void>): Promise<void> {
    this._refusals.delete(id);
    this.stateChanged.emit();
    try {
      await action();
    } catch (reason) {
      this._refusals.set(id, asAiserError(reason));
    }
  }

  private _checking = new Set<string>();
  private _health = new Map<string, IConnectionHealth>();
  private _refusals = new Map<string, AiserError>();
  private _shown: IConnection[] | null = null;
  private _signIns = new Map<string, SignInModel>();
}
