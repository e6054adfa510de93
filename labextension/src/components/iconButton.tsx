import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

export interface IIconButtonProps {
  icon: LabIcon;
  label: string;
  onClick: () => void;
  disabled?: boolean;
}

/** A small button without text; `label` is its name and its tooltip. */
export function IconButton(props: IIconButtonProps): React.JSX.Element {
  const { icon, label, onClick, disabled } = props;
  return (
    <button
      className="aiser-IconButton"
      type="button"
      title={label}
      aria-label={label}
      disabled={disabled}
      onClick={onClick}
    >
      <icon.react tag="span" width="14px" height="14px" />
    </button>
  );
}
