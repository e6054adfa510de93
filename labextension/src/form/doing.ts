import { VDomModel } from '@jupyterlab/ui-components';

import type { AiserError } from '../api/request';
import { asAiserError } from '../api/request';

export type Busy = '' | 'reading' | 'testing' | 'saving';

/** A model that asks the server one thing at a time, and keeps why it did not work. */
export abstract class DoingModel extends VDomModel {
  busy: Busy = '';
  /** Of the last thing that was asked. */
  error: AiserError | null = null;

  protected async during(busy: Busy, action: () => Promise<void>): Promise<void> {
    this.busy = busy;
    this.error = null;
    this.stateChanged.emit();
    try {
      await action();
    } catch (reason) {
      this.error = asAiserError(reason);
    } finally {
      this.busy = '';
    }
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }
}
