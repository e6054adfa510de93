import type { VDomModel } from '@jupyterlab/ui-components';
import { VDomRenderer } from '@jupyterlab/ui-components';
import type { Message as Event } from '@lumino/messaging';
import * as React from 'react';

import type { AiserError } from '../api/request';
import { Button } from './button';
import { ErrorMessage, Message } from './message';
import type { ISearchProps } from './search';
import { Search } from './search';

export interface ISectionModel extends VDomModel {
  visible: boolean;
  collapseAll(): void;
  refresh(force?: boolean): Promise<void>;
}

/** What a section shows, drawn anew whenever its model changes. The model learns whether anybody sees it. */
export class SectionView<M extends ISectionModel> extends VDomRenderer<M> {
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

  protected override onAfterAttach(message: Event): void {
    super.onAfterAttach(message);
    this.model.visible = this.isVisible;
  }

  protected override onAfterShow(message: Event): void {
    super.onAfterShow(message);
    this.model.visible = this.isVisible;
  }

  protected override onAfterHide(message: Event): void {
    super.onAfterHide(message);
    this.model.visible = false;
  }
}

export interface IFrameProps {
  search?: ISearchProps;
  /** Stands above the search. */
  head?: React.ReactNode;
  error?: AiserError | null;
  /** Offered beside the error. */
  retry?: () => void;
  /** Stands in place of the list: nothing is there, or not yet. */
  message?: React.ReactNode;
  children?: React.ReactNode;
}

/** What all sections have: a search, an error that leaves what is known in sight, a list or a word instead. */
export function Frame(props: IFrameProps): React.JSX.Element {
  const { search, head, error, retry, message, children } = props;
  return (
    <>
      {head}
      {search && <Search {...search} />}
      {error && <ErrorMessage error={error} />}
      {error && retry && (
        <div className="aiser-Retry">
          <Button onClick={retry}>Try again</Button>
        </div>
      )}
      {message ? <Message>{message}</Message> : <div className="aiser-List">{children}</div>}
    </>
  );
}
