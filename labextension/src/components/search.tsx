import { InputGroup, searchIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

export interface ISearchProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
}

export function Search({ label, value, onChange }: ISearchProps): React.JSX.Element {
  return (
    <div className="aiser-Search">
      <InputGroup
        type="search"
        aria-label={label}
        placeholder={label}
        rightIcon={searchIcon}
        value={value}
        onChange={event => {
          onChange(event.target.value);
        }}
      />
    </div>
  );
}
