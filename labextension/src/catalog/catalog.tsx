import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { LOCAL } from '../sql';
import { DatabaseView } from './databaseView';
import { KernelView } from './kernelView';
import type { CatalogModel } from './model';
import type { ITableActions } from './tree';

export interface ICatalogProps extends ITableActions {
  model: CatalogModel;
}

/** The section "Catalog": what there is to query, in the notebook or in a connection. */
export function Catalog({ model, ...actions }: ICatalogProps): React.JSX.Element {
  const head = model.connections.length > 0 && <Choice model={model} />;
  return model.database ? (
    <DatabaseView model={model.database} head={head} {...actions} />
  ) : (
    <KernelView model={model.kernel} head={head} {...actions} />
  );
}

function Choice({ model }: { model: CatalogModel }): React.JSX.Element {
  const shown = model.connections.find(({ id }) => id === model.selected);
  return (
    <div className="aiser-Choice">
      <HTMLSelect
        aria-label="Catalog of"
        title={shown?.name}
        value={model.selected}
        onChange={event => {
          model.select(event.target.value);
        }}
      >
        <option value={LOCAL.name}>local: this notebook</option>
        {model.connections.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </HTMLSelect>
    </div>
  );
}
