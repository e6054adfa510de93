import * as React from 'react';

import type { IConnection } from '../api/types';
import { Button } from '../components/button';
import { Frame } from '../components/frame';
import { ConnectionRow } from './connectionRow';
import type { ConnectionsModel } from './model';

export interface IConnectionActions {
  /** Open the form, of a new connection where none is given. */
  edit: (connection?: IConnection) => void;
  /** Show its catalog. */
  browse: (connection: IConnection) => void;
  /** Ask whether to delete it, and do so. */
  remove: (connection: IConnection) => void;
}

export interface IConnectionsProps extends IConnectionActions {
  model: ConnectionsModel;
}

/** The section "Connections". */
export function Connections({ model, ...actions }: IConnectionsProps): React.JSX.Element {
  const { shown, error } = model;
  if (shown === null) {
    return <Frame error={error} message={!error && 'Reading the connections…'} />;
  }
  if (shown.length === 0) {
    return <Frame error={error} message={<Nothing edit={actions.edit} />} />;
  }
  return (
    <Frame error={error}>
      <ul className="aiser-Connections" aria-label="Connections">
        {shown.map(connection => (
          <ConnectionRow
            key={connection.id}
            connection={connection}
            model={model}
            known={error === null}
            {...actions}
          />
        ))}
      </ul>
    </Frame>
  );
}

function Nothing({ edit }: Pick<IConnectionActions, 'edit'>): React.JSX.Element {
  return (
    <>
      <p>No database is connected yet. DataFrames and files need no connection.</p>
      <Button
        accept
        onClick={() => {
          edit();
        }}
      >
        Connect a database
      </Button>
    </>
  );
}
