import type { AiserError } from '../api/request';
import { asAiserError, request } from '../api/request';
import type { IConnection, IConnectionHealth, IConnectionTest, IStatistics } from '../api/types';
import { PolledModel } from '../components/polled';

/** What ran in the last days, and the connections with what is known of them. */
export class StatisticsModel extends PolledModel {
  constructor() {
    super('statistics', 10000); // the server counts thousands of runs each time
  }

  /** Of the days that were chosen; null until the server has told. */
  get figures(): IStatistics | null {
    return this._figures?.days === this._days ? this._figures : null;
  }

  /** When the figures were told. */
  get asOf(): Date {
    return this._asOf;
  }

  /** All but `local`, which is always there. */
  get connections(): readonly IConnection[] {
    return this._connections;
  }

  get days(): number {
    return this._days;
  }

  set days(value: number) {
    this._days = value;
    this.stateChanged.emit();
    void this.refresh();
  }

  health(id: string): IConnectionHealth | undefined {
    return this._health.get(id);
  }

  isTesting(id: string): boolean {
    return this._testing.has(id);
  }

  /** What the last test found that was asked for here. */
  test(id: string): IConnectionTest | undefined {
    return this._tests.get(id);
  }

  /** Why a test could not be made. */
  refusal(id: string): AiserError | undefined {
    return this._refusals.get(id);
  }

  /** Try a connection step by step, down to a query. */
  async tryOut(id: string): Promise<void> {
    this._testing.add(id);
    this.forget(id);
    try {
      const test = await request('post', '/data/enterprise/connections/test', { body: { id } });
      this._tests.set(id, test);
      if (test.success && this.health(id)?.status !== 'ok') {
        await this._ask(id); // else it would be called failing until its turn comes
      }
    } catch (reason) {
      this._refusals.set(id, asAiserError(reason));
    } finally {
      this._testing.delete(id);
      this.stateChanged.emit();
    }
    await this.refresh();
  }

  /** Show what a test found no longer. */
  forget(id: string): void {
    this._tests.delete(id);
    this._refusals.delete(id);
    this.stateChanged.emit();
  }

  override collapseAll(): void {
    this._tests.clear();
    this._refusals.clear();
    super.collapseAll();
  }

  protected override async load(): Promise<boolean> {
    let days: number;
    do {
      days = this._days;
      const [listed, health] = await Promise.all([
        request('get', '/data/enterprise/connections'),
        request('get', '/data/health') // has the connections asked in the background from now on
      ]);
      const query = { days: String(days) };
      this._figures = await request('get', '/data/enterprise/statistics', { query });
      this._asOf = new Date();
      this._connections = listed.connections.filter(each => each.source !== 'builtin');
      this._health = new Map(health.connections.map(each => [each.id, each]));
    } while (days !== this._days); // another time was chosen meanwhile
    return this._connections.some(
      each => this.health(each.id)?.status === 'unknown' && !each.problem
    );
  }

  private async _ask(id: string): Promise<void> {
    const path = '/data/enterprise/connections/{id}/health';
    const { health } = await request('post', path, { id, body: {} });
    this._health.set(id, health);
  }

  private _asOf = new Date();
  private _connections: IConnection[] = [];
  private _days = 7;
  private _figures: IStatistics | null = null;
  private _health = new Map<string, IConnectionHealth>();
  private _refusals = new Map<string, AiserError>();
  private _testing = new Set<string>();
  private _tests = new Map<string, IConnectionTest>();
}
