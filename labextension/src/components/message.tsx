import * as React from 'react';

import type { AiserError } from '../api/request';

/** What is shown where there is nothing to list, with the next step. */
export function Message(props: { children: React.ReactNode }): React.JSX.Element {
  return (
    <div className="aiser-Message" role="status">
      {props.children}
    </div>
  );
}

export function ErrorMessage({ error }: { error: AiserError }): React.JSX.Element {
  return (
    <div className="aiser-Message aiser-mod-error" role="alert">
      <p>{error.message}</p>
      {error.hint && <p className="aiser-Dim">{error.hint}</p>}
    </div>
  );
}
