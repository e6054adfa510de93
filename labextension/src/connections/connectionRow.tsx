import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IConnection, IConnectionHealth } from '../api/types';
import { Button } from '../components/button';
import type { Facts } from '../components/facts';
import { FactList } from '../components/facts';
import { ErrorMessage } from '../components/message';
import { Status } from '../components/status';
import * as format from '../format';
import type { IConnectionActions } from './connections';
import type { ConnectionsModel } from './model';

export interface IConnectionRowProps extends IConnectionActions {
  connection: IConnection;
  model: ConnectionsModel;
  /** Whether the server answered last time; else nothing is known of now. */
  known: boolean;
}

const SOURCES: Record<IConnection['source'], string> = {
  builtin: 'built in',
  store: 'yours',
  admin: 'administrator',
  environment: 'environment',
  object: 'notebook'
};

/** One connection: whether it answers, whose it is, and what can be done with it. */
export function ConnectionRow(props: IConnectionRowProps): React.JSX.Element {
  const { connection, model, known } = props;
  const { id, name, source, read_only, config } = connection;
  const open = model.isOpen(id);
  const health = known ? model.health(id) : undefined;
  const Caret = open ? caretDownIcon : caretRightIcon;
  const refusal = model.refusal(id);
  return (
    <li className="aiser-Connection">
      <button
        className="aiser-Connection-main"
        type="button"
        aria-expanded={open}
        onClick={() => {
          model.toggle(id);
        }}
      >
        <Caret.react tag="span" width="16px" height="16px" />
        <span className="aiser-Connection-name" title={name}>
          {name}
        </span>
        <span className="aiser-Connection-type aiser-Dim">{connection.type}</span>
        <Status connection={connection} health={health} checking={model.isChecking(id)} />
        <span className="aiser-Badges">
          <span className="aiser-Badge">{SOURCES[source]}</span>
          {read_only && <span className="aiser-Badge">read-only</span>}
          {config['ssl_enabled'] === false && (
            <span className="aiser-Badge aiser-mod-warn">no TLS</span>
          )}
        </span>
      </button>
      {refusal && <ErrorMessage error={refusal} />}
      {open && <Opened {...props} health={health} />}
    </li>
  );
}

function Opened(
  props: IConnectionRowProps & { health: IConnectionHealth | undefined }
): React.JSX.Element {
  const { connection, health, model, edit, browse, remove } = props;
  const { id, name, problem, read_only } = connection;
  const message = problem || health?.message;
  return (
    <div className="aiser-Opened">
      {message && (
        <div className="aiser-Message aiser-mod-error">
          <p>{message}</p>
          {!problem && health?.hint && <p className="aiser-Dim">{health.hint}</p>}
        </div>
      )}
      <FactList facts={facts(connection, health)} />
      <div className="aiser-Actions">
        <Button
          accept
          disabled={problem !== ''}
          label={`Browse ${name}`}
          onClick={() => {
            browse(connection);
          }}
        >
          Browse
        </Button>
        <Button
          disabled={problem !== '' || model.isChecking(id)}
          label={`Test ${name}`}
          onClick={() => {
            void model.check(id);
          }}
        >
          Test
        </Button>
        {!read_only && (
          <>
            <Button
              label={`Edit ${name}`}
              onClick={() => {
                edit(connection);
              }}
            >
              Edit
            </Button>
            <Button
              label={`Delete ${name}`}
              onClick={() => {
                remove(connection);
              }}
            >
              Delete
            </Button>
          </>
        )}
      </div>
    </div>
  );
}

function facts({ config }: IConnection, health: IConnectionHealth | undefined): Facts {
  const known: Facts = [];
  const { host, port, database, username } = config;
  if (host) {
    known.push(['Server', port ? `${plain(host)}:${plain(port)}` : plain(host)]);
  }
  if (database) {
    known.push(['Database', plain(database)]);
  }
  if (username) {
    known.push(['User', plain(username)]);
  }
  if (health?.checked_at) {
    known.push(['Asked', format.ago(health.checked_at)]);
  }
  if (health?.status === 'failing') {
    known.push(['Last answer', health.last_ok ? format.ago(health.last_ok) : 'none yet']);
  }
  return known;
}

/** A value as text; a secret is not one. */
function plain(value: IConnection['config'][string]): string {
  return value !== null && typeof value === 'object' ? '' : String(value ?? '');
}
