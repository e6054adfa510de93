import * as React from 'react';

import type { IConnector } from '../api/types';
import type { FormModel } from './model';

/** Choose the kind of database. One whose driver is missing says how to install it. */
export function Kinds({ model, form }: { model: FormModel; form: string }): React.JSX.Element {
  return (
    <fieldset className="aiser-Kinds">
      <legend>Which database?</legend>
      {(model.connectors ?? []).map(connector => (
        <label key={connector.type} className="aiser-Kind">
          <input
            type="radio"
            name={`${form}-type`}
            checked={model.connector === connector}
            onChange={() => {
              model.choose(connector.type);
            }}
          />
          <span className="aiser-Kind-label">{connector.label}</span>
          <Driver connector={connector} />
        </label>
      ))}
    </fieldset>
  );
}

function Driver({ connector }: { connector: IConnector }): React.JSX.Element {
  const { available, reason, version, hint } = connector;
  return available ? (
    <span className="aiser-Kind-driver aiser-Dim">
      {reason} {version}
    </span>
  ) : (
    <span className="aiser-Kind-driver">
      <span className="aiser-Badge aiser-mod-warn">not installed</span> {reason}
      <code>{hint}</code>
    </span>
  );
}
