import { checkIcon, closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ICheck, IConnectionTest } from '../api/types';
import * as format from '../format';
import { Bar } from './bars';

const STEPS: Record<string, string> = {
  driver: 'Driver',
  name: 'Address of the server',
  tcp: 'Network',
  tls: 'Encryption (TLS)',
  login: 'Login',
  database: 'Database',
  rights: 'Rights',
  sample: 'Sample query'
};

export interface IChecksProps {
  test: IConnectionTest;
  /** Names the whole. */
  label?: string;
  /** Whether something was typed since. */
  stale?: boolean;
}

/** What each step of a test found, and how long it took; the one that failed is the last. */
export function Checks({ test, label = 'Test', stale = false }: IChecksProps): React.JSX.Element {
  const longest = Math.max(...test.checks.map(check => check.ms));
  const total = test.checks.reduce((sum, check) => sum + check.ms, 0);
  return (
    <section className={`aiser-Checks${stale ? ' aiser-mod-stale' : ''}`} aria-label={label}>
      <p className="aiser-Checks-end" role="status">
        {test.success ? 'The connection works.' : 'The connection does not work yet.'}
        {stale && ' Something changed since: test again.'}
        <span className="aiser-Dim"> {format.duration(total / 1000)}</span>
      </p>
      <ol>
        {test.checks.map(check => (
          <Step key={check.name} check={check} share={longest > 0 ? check.ms / longest : 0} />
        ))}
      </ol>
    </section>
  );
}

function Step({ check, share }: { check: ICheck; share: number }): React.JSX.Element {
  const { name, ok, ms, message, hint } = check;
  const Icon = ok ? checkIcon : closeIcon;
  const said = ok ? 'passed' : 'failed';
  return (
    <li className={`aiser-Check aiser-mod-${said}`}>
      <span role="img" aria-label={said}>
        <Icon.react tag="span" width="16px" height="16px" />
      </span>
      <span className="aiser-Check-name">{STEPS[name] ?? name}</span>
      <span className="aiser-Check-message">{message}</span>
      <span className="aiser-Check-ms aiser-Dim">{format.duration(ms / 1000)}</span>
      <Bar share={share} kind={ok ? 'ok' : 'failing'} />
      {!ok && hint && <span className="aiser-Check-hint">{hint}</span>}
    </li>
  );
}
