import { LabIcon } from '@jupyterlab/ui-components';

/** A database cylinder. The theme sets the stroke of the group; its children name that nothing is filled. */
export const aiserIcon = new LabIcon({
  name: 'aiser-jupyter:icon',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" stroke="#616161" stroke-width="2">
    <ellipse fill="none" cx="12" cy="6" rx="8" ry="3"/>
    <path fill="none" d="M4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3"/>
  </g>
</svg>`
});
