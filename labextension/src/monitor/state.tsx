import { checkIcon, closeIcon, LabIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { RunState } from '../api/types';

const waitingIcon = new LabIcon({
  name: 'aiser-jupyter:waiting',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <circle class="jp-icon3" stroke="#616161" stroke-width="3" stroke-dasharray="34 18" fill-opacity="0"
    cx="12" cy="12" r="8"/>
</svg>`
});

const STATES: Record<RunState, [LabIcon, string]> = {
  queued: [waitingIcon, 'Waiting for a worker'],
  running: [waitingIcon, 'Running'],
  done: [checkIcon, 'Done'],
  failed: [closeIcon, 'Failed'],
  cancelled: [stopIcon, 'Cancelled'],
  lost: [closeIcon, 'Lost: its process ended']
};

export function StateIcon({ state }: { state: RunState }): React.JSX.Element {
  const [icon, label] = STATES[state];
  return (
    <span className={`aiser-State aiser-mod-${state}`} role="img" aria-label={label} title={label}>
      <icon.react tag="span" width="14px" height="14px" />
    </span>
  );
}
