import type { VDomModel } from '@jupyterlab/ui-components';
import { VDomRenderer } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { AiserError } from '../api/request';
import { ErrorMessage, Message } from './message';
import type { ISearchProps } from './search';
import { Search } from './search';

/** The content of a section of the panel, drawn anew whenever its model changes. */
export class SectionView<M extends VDomModel> extends VDomRenderer<M> {
  constructor(
    model: M,
    private readonly draw: (model: M) => React.JSX.Element
  ) {
    super(model);
    this.addClass('aiser-Section');
  }

  protected override render(): React.JSX.Element {
    return this.draw(this.model);
  }
}

export interface IFrameProps {
  search?: ISearchProps;
  /** Stands above the search. */
  head?: React.ReactNode;
  error?: AiserError | null;
  /** Stands in place of the list: nothing is there, or not yet. */
  message?: React.ReactNode;
  children?: React.ReactNode;
}

/** What all sections have: a search, an error that leaves what is known in sight, a list or a word instead. */
export function Frame({ search, head, error, message, children }: IFrameProps): React.JSX.Element {
  return (
    <>
      {head}
      {search && <Search {...search} />}
      {error && <ErrorMessage error={error} />}
      {message ? <Message>{message}</Message> : <div className="aiser-List">{children}</div>}
    </>
  );
}
