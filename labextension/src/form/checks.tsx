import { checkIcon, closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ICheck, IConnectionTest } from '../api/types';
import * as format from '../format';

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
  /** Whether something was typed since. */
  stale: boolean;
}

/** What each step of a test found; the one that failed is the last. */
export function Checks({ test, stale }: IChecksProps): React.JSX.Element {
  return (
    <section className={`aiser-Checks${stale ? ' aiser-mod-stale' : ''}`} aria-label="Test">
      <p className="aiser-Checks-end" role="status">
        {test.success ? 'The connection works.' : 'The connection does not work yet.'}
        {stale && ' Something changed since: test again.'}
      </p>
      <ol>
        {test.checks.map(check => (
          <Step key={check.name} check={check} />
        ))}
      </ol>
    </section>
  );
}

function Step({ check }: { check: ICheck }): React.JSX.Element {
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
      {!ok && hint && <span className="aiser-Check-hint">{hint}</span>}
    </li>
  );
}
