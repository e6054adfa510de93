import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IConnection } from '../api/types';
import type { IPart } from '../components/bars';
import { PartsBar } from '../components/bars';
import { Button } from '../components/button';
import { Checks } from '../components/checks';
import { IconButton } from '../components/iconButton';
import { ErrorMessage } from '../components/message';
import { Status } from '../components/status';
import type { IConnectionActions } from '../connections/connections';
import * as format from '../format';
import type { StatisticsModel } from './model';

export interface ISourcesProps extends Pick<IConnectionActions, 'edit'> {
  model: StatisticsModel;
}

/** How many connections work, and each with a button that tries it. */
export function Sources({ model, edit }: ISourcesProps): React.JSX.Element {
  const { figures, connections } = model;
  const { total = 0, connected = 0, failing = 0, unknown = 0 } = figures?.connections ?? {};
  const parts: IPart[] = [
    { name: 'working', size: connected, said: String(connected), kind: 'ok' },
    { name: 'failing', size: failing, said: String(failing), kind: 'failing' },
    { name: 'not asked yet', size: unknown, said: String(unknown), kind: 'unknown' }
  ];
  return (
    <section className="aiser-Part" aria-label="Connections">
      <h3 className="aiser-Group">
        {total > 0 ? format.count(total, 'connection') : 'Connections'}
      </h3>
      {total > 0 ? (
        <PartsBar label="Connections by state" parts={parts.filter(part => part.size > 0)} />
      ) : (
        <div className="aiser-Note">
          <p className="aiser-Dim">
            No database is connected yet. DataFrames and files need no connection.
          </p>
          <Button
            accept
            onClick={() => {
              edit();
            }}
          >
            Connect a database
          </Button>
        </div>
      )}
      <ul aria-label="Connections">
        {connections.map(connection => (
          <Source key={connection.id} connection={connection} model={model} />
        ))}
      </ul>
    </section>
  );
}

interface ISourceProps {
  connection: IConnection;
  model: StatisticsModel;
}

function Source({ connection, model }: ISourceProps): React.JSX.Element {
  const { id, name, problem } = connection;
  const test = model.test(id);
  const refusal = model.refusal(id);
  const testing = model.isTesting(id);
  return (
    <li className="aiser-Source">
      <div className="aiser-Source-main">
        <span className="aiser-Source-name" title={name}>
          {name}
        </span>
        <Status connection={connection} health={model.health(id)} checking={testing} />
        <Button
          label={`Test ${name}`}
          disabled={testing || problem !== ''}
          onClick={() => void model.tryOut(id)}
        >
          Test
        </Button>
      </div>
      {problem && <p className="aiser-Note aiser-Dim">{problem}</p>}
      {refusal && <ErrorMessage error={refusal} />}
      {test && (
        <div className="aiser-Source-test">
          <Checks test={test} label={`Test of ${name}`} />
          <IconButton
            icon={closeIcon}
            label={`Close the test of ${name}`}
            onClick={() => {
              model.forget(id);
            }}
          />
        </div>
      )}
    </li>
  );
}
