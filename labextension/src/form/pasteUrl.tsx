import * as React from 'react';

import { Button } from '../components/button';
import { Notes } from './field';
import type { FormModel } from './model';

/** A URL in place of typing: it fills the fields below. */
export function PasteUrl({ model, form }: { model: FormModel; form: string }): React.JSX.Element {
  const id = `${form}-url`;
  const read = (): void => {
    if (model.url.trim() && !model.busy) {
      void model.readUrl();
    }
  };
  return (
    <div className="aiser-Field">
      <label htmlFor={id}>
        Paste a URL <span className="aiser-Dim">(optional)</span>
      </label>
      <div className="aiser-Secret">
        <input
          id={id}
          className="jp-mod-styled"
          type="text"
          autoComplete="off"
          spellCheck={false}
          placeholder="postgresql://user:password@host:5432/database"
          aria-describedby={`${id}-help`}
          value={model.url}
          onChange={event => {
            model.url = event.target.value;
            model.stateChanged.emit();
          }}
          onKeyDown={event => {
            if (event.key === 'Enter') {
              event.preventDefault();
              read();
            }
          }}
        />
        <Button onClick={read} disabled={!model.url.trim() || model.busy !== ''}>
          Fill in and test
        </Button>
      </div>
      <Notes
        id={id}
        help="Fills the fields below, a password into its own. Or choose a database and fill them yourself."
        mistake=""
      />
    </div>
  );
}
