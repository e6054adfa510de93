import * as React from 'react';

import type { IConnection, IConnectionHealth } from '../api/types';
import * as format from '../format';

export interface IStatusProps {
  connection: IConnection;
  health: IConnectionHealth | undefined;
  checking: boolean;
}

interface ISaid {
  /** Ends the name of the class that gives the dot its colour. */
  dot: 'unknown' | 'ok' | 'failing' | 'asleep' | 'starting' | 'attention';
  words: string;
  /** The same in a sentence, where it is pointed at. */
  meaning?: string;
}

/** A dot and its meaning in words. */
export function Status({ connection, health, checking }: IStatusProps): React.JSX.Element {
  const { dot, words, meaning } = said(connection, health);
  return (
    <span className="aiser-Status" aria-live="polite" title={checking ? undefined : meaning}>
      <span className={`aiser-Dot aiser-mod-${checking ? 'checking' : dot}`} aria-hidden="true" />
      {checking ? 'asking…' : words}
    </span>
  );
}

function said({ problem }: IConnection, health: IConnectionHealth | undefined): ISaid {
  if (problem) {
    return { dot: 'failing', words: 'cannot be used', meaning: problem };
  }
  if (!health || health.status === 'unknown') {
    return { dot: 'unknown', words: 'not asked yet' };
  }
  if (needsSignIn(health)) {
    return { dot: 'attention', words: 'sign-in needed', meaning: health.message };
  }
  if (health.status === 'failing') {
    const words = health.failures > 1 ? `failed ${health.failures} times` : 'failed';
    return { dot: 'failing', words, meaning: health.message };
  }
  return resting(health) ?? { dot: 'ok', ...answered(health) };
}

/** A warehouse that was reached and does not run: nothing is wrong with it, but a query waits for it. */
function resting({ warehouse }: IConnectionHealth): ISaid | null {
  if (warehouse?.state === 'suspended' || warehouse?.state === 'stopping') {
    const meaning = `${warehouse.message} The next query starts it, and waits until it runs.`;
    return { dot: 'asleep', words: warehouse.state, meaning };
  }
  if (warehouse?.state === 'starting') {
    const meaning = `${warehouse.message} Queries wait until it runs.`;
    return { dot: 'starting', words: 'starting', meaning };
  }
  return null;
}

function answered(health: IConnectionHealth): Pick<ISaid, 'words' | 'meaning'> {
  const latency = health.latencies.at(-1);
  const words = latency ? `answers in ${format.duration(latency.seconds)}` : 'answers';
  return { words, meaning: health.warehouse?.message };
}

/** Whether the person has to sign in with the browser before it is of use. */
export function needsSignIn(health: IConnectionHealth | undefined): boolean {
  return health?.status === 'failing' && health.code === 'sign_in';
}

/** What a warehouse does now, in a sentence; empty where there is none. */
export function warehouseSaid(health: IConnectionHealth | undefined): string {
  return (health && (resting(health)?.meaning ?? health.warehouse?.message)) || '';
}
