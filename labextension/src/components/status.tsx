import * as React from 'react';

import type { IConnection, IConnectionHealth } from '../api/types';
import * as format from '../format';

export interface IStatusProps {
  connection: IConnection;
  health: IConnectionHealth | undefined;
  checking: boolean;
}

/** A dot and its meaning in words. */
export function Status({ connection, health, checking }: IStatusProps): React.JSX.Element {
  const [state, words] = said(connection, health);
  return (
    <span className="aiser-Status" aria-live="polite">
      <span className={`aiser-Dot aiser-mod-${checking ? 'checking' : state}`} aria-hidden="true" />
      {checking ? 'asking…' : words}
    </span>
  );
}

function said(
  connection: IConnection,
  health: IConnectionHealth | undefined
): [IConnectionHealth['status'], string] {
  if (connection.problem) {
    return ['failing', 'cannot be used'];
  }
  if (!health || health.status === 'unknown') {
    return ['unknown', 'not asked yet'];
  }
  if (health.status === 'failing') {
    return ['failing', health.failures > 1 ? `failed ${health.failures} times` : 'failed'];
  }
  const latency = health.latencies.at(-1);
  return ['ok', latency ? `answers in ${format.duration(latency.seconds)}` : 'answers'];
}
