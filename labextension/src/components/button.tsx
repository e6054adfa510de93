import * as React from 'react';

export interface IButtonProps {
  children: React.ReactNode;
  onClick?: () => void;
  accept?: boolean;
  warn?: boolean;
  disabled?: boolean;
  submit?: boolean;
  label?: string;
}

/** A button with words, as JupyterLab styles them. */
export function Button(props: IButtonProps): React.JSX.Element {
  const { children, onClick, accept, warn, disabled, submit, label } = props;
  const kind = accept ? ' jp-mod-accept' : warn ? ' jp-mod-warn' : ' jp-mod-reject';
  return (
    <button
      type={submit ? 'submit' : 'button'}
      className={`jp-mod-styled${kind} aiser-Button`}
      disabled={disabled}
      aria-label={label}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
