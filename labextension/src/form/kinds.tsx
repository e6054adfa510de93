import * as React from 'react';

import type { IConnector } from '../api/types';
import type { FormModel } from './model';

/** Choose the kind of database. One whose driver is missing says how to install it. */
export function Kinds({ model, form }: { model: FormModel; form: string }): React.JSX.Element {
  return (
    <fieldset className="aiser-Kinds">
      <legend>Which database?</legend>
      {(model.connectors ?? []).map(connector => (
        <label key={connector.type} className="aiser-Kind" title={driver(connector)}>
          <input
            type="radio"
            name={`${form}-type`}
            checked={model.connector === connector}
            onChange={() => {
              model.choose(connector.type);
            }}
          />
          <span className="aiser-Kind-label">{connector.label}</span>
          {!connector.available && <Missing connector={connector} />}
        </label>
      ))}
    </fieldset>
  );
}

/** "connects with pg8000 1.31.5": nobody needs it to choose. */
function driver({ available, reason, version }: IConnector): string | undefined {
  return available ? `${reason} ${version}` : undefined;
}

function Missing({ connector }: { connector: IConnector }): React.JSX.Element {
  return (
    <span className="aiser-Kind-driver">
      <span className="aiser-Badge aiser-mod-warn">not installed</span> {connector.reason}
      <code>{connector.hint}</code>
    </span>
  );
}
