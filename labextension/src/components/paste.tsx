import * as React from 'react';

import { Button } from './button';

export interface IPasteProps {
  /** Of the input; its help has the same, and `-help`. */
  id: string;
  value: string;
  placeholder: string;
  /** What is done with the text. */
  action: string;
  /** The action is the next step. */
  accept?: boolean;
  /** Something else goes on. */
  busy: boolean;
  onChange: (value: string) => void;
  onAction: () => void;
}

/** One line to paste, and what is done with it, by the button or by Enter. */
export function Paste(props: IPasteProps): React.JSX.Element {
  const { id, value, placeholder, action, accept, busy, onChange, onAction } = props;
  const ready = value.trim() !== '' && !busy;
  return (
    <div className="aiser-Secret">
      <input
        id={id}
        className="jp-mod-styled"
        type="text"
        autoComplete="off"
        spellCheck={false}
        placeholder={placeholder}
        aria-describedby={`${id}-help`}
        value={value}
        onChange={event => {
          onChange(event.target.value);
        }}
        onKeyDown={event => {
          if (event.key === 'Enter') {
            event.preventDefault();
            if (ready) {
              onAction();
            }
          }
        }}
      />
      <Button accept={accept} disabled={!ready} onClick={onAction}>
        {action}
      </Button>
    </div>
  );
}
