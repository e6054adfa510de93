import * as React from 'react';

import type { IConnection, IConnectionHealth } from '../api/types';
import type { Facts } from '../components/facts';
import { Sparkline } from '../components/sparkline';
import { warehouseSaid } from '../components/status';
import * as format from '../format';

/** What is known of a connection: where it leads, and how it has answered. */
export function facts(connection: IConnection, health: IConnectionHealth | undefined): Facts {
  return [...place(connection), ...(health ? answers(health) : [])];
}

function place({ config }: IConnection): Facts {
  const known: Facts = [];
  const { port, database } = config;
  const host = first(config, ['host', 'server_hostname', 'account', 'project', 'path']);
  const username = first(config, ['username', 'user']);
  if (host) {
    known.push(['Server', port ? `${plain(host)}:${plain(port)}` : plain(host)]);
  }
  if (database) {
    known.push(['Database', plain(database)]);
  }
  if (username) {
    known.push(['User', plain(username)]);
  }
  return known;
}

function answers(health: IConnectionHealth): Facts {
  const { checked_at, status, last_ok, last_error, latencies } = health;
  const known: Facts = [];
  const warehouse = warehouseSaid(health);
  if (warehouse) {
    known.push(['Warehouse', warehouse]);
  }
  if (checked_at) {
    known.push(['Asked', format.ago(checked_at)]);
  }
  if (status === 'failing') {
    known.push(['Last answer', last_ok ? format.ago(last_ok) : 'none yet']);
  }
  if (latencies.length > 1) {
    known.push(['Answers in', <Latencies seconds={latencies.map(each => each.seconds)} />]);
  }
  if (last_error && status !== 'failing') {
    known.push(['Last error', `${format.ago(last_error.at)}: ${last_error.message}`]);
  }
  return known;
}

/** How long the newest answers took, oldest first. */
function Latencies({ seconds }: { seconds: readonly number[] }): React.JSX.Element {
  const sorted = [...seconds].sort((one, other) => one - other);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  const longest = sorted.at(-1) ?? 0;
  return (
    <span
      className="aiser-Latencies"
      title={`The newest ${format.count(seconds.length, 'answer')}`}
    >
      {format.duration(median)}, at most {format.duration(longest)}
      <Sparkline values={seconds} />
    </span>
  );
}

/** Of several names that databases have for the same, the one that is there. */
function first(config: IConnection['config'], names: string[]): IConnection['config'][string] {
  return names.map(name => config[name]).find(Boolean) ?? null;
}

/** A value as text; a secret is not one. */
function plain(value: IConnection['config'][string]): string {
  return value !== null && typeof value === 'object' ? '' : String(value ?? '');
}
