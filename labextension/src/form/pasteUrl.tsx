import * as React from 'react';

import { Paste } from '../components/paste';
import { Notes } from './field';
import type { FormModel } from './model';

/** A URL in place of typing: it fills the fields below. */
export function PasteUrl({ model, form }: { model: FormModel; form: string }): React.JSX.Element {
  const id = `${form}-url`;
  return (
    <div className="aiser-Field">
      <label htmlFor={id}>
        Paste a URL <span className="aiser-Dim">(optional)</span>
      </label>
      <Paste
        id={id}
        value={model.url}
        placeholder="postgresql://user:password@host:5432/database"
        action="Fill in and test"
        busy={model.busy !== ''}
        onChange={url => {
          model.url = url;
          model.stateChanged.emit();
        }}
        onAction={() => void model.readUrl()}
      />
      <Notes
        id={id}
        help="Fills the fields below, a password into its own. Or choose a database and fill them yourself."
        mistake=""
      />
    </div>
  );
}
