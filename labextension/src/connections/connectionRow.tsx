import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IConnection, IConnectionHealth } from '../api/types';
import { Button } from '../components/button';
import { FactList } from '../components/facts';
import { ErrorMessage } from '../components/message';
import { needsSignIn, Status } from '../components/status';
import { SignInView } from '../signIn/view';
import { facts } from './facts';
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
        <span className="aiser-Badges">
          <Status connection={connection} health={health} checking={model.isChecking(id)} />
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
  const { connection, health, model } = props;
  const { problem } = connection;
  const signIn = model.signIn(connection.id);
  const message = problem || health?.message;
  return (
    <div className="aiser-Opened">
      {message && !signIn?.going && !signIn?.ended && (
        <div className="aiser-Message aiser-mod-error">
          <p>{message}</p>
          {!problem && health?.hint && <p className="aiser-Dim">{health.hint}</p>}
        </div>
      )}
      {signIn && (
        <SignInView
          model={signIn}
          onAgain={() => {
            void model.beginSignIn(connection.id);
          }}
        />
      )}
      <FactList facts={facts(connection, health)} />
      <Actions {...props} />
    </div>
  );
}

function Actions(
  props: IConnectionRowProps & { health: IConnectionHealth | undefined }
): React.JSX.Element {
  const { connection, health, model, edit, browse, remove } = props;
  const { id, name, problem, read_only } = connection;
  const begun = model.signIn(id);
  const signIn = !read_only && needsSignIn(health) && !begun?.going && !begun?.ended;
  return (
    <div className="aiser-Actions">
      {signIn && (
        <Button
          accept
          label={`Sign in to ${name}`}
          onClick={() => {
            void model.beginSignIn(id);
          }}
        >
          Sign in
        </Button>
      )}
      <Button
        accept={!signIn}
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
  );
}
