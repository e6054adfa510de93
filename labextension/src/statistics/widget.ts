import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import { refreshIcon, ToolbarButton } from '@jupyterlab/ui-components';
import * as React from 'react';

import { SectionView } from '../components/frame';
import { aiserIcon } from '../icon';
import { StatisticsModel } from './model';
import type { IStatisticsProps } from './statistics';
import { Statistics } from './statistics';

const ID = 'aiser-statistics';

/** Show the statistics in the main area; there is one tab of them. */
export function openStatistics(
  shell: JupyterFrontEnd.IShell,
  actions: Omit<IStatisticsProps, 'model'>
): void {
  if ([...shell.widgets('main')].some(widget => widget.id === ID)) {
    shell.activateById(ID);
    return;
  }
  const model = new StatisticsModel();
  const view = new SectionView(model, shown =>
    React.createElement(Statistics, { model: shown, ...actions })
  );
  view.addClass('aiser-Panel');
  const widget = new MainAreaWidget({ content: view });
  widget.id = ID;
  widget.title.label = 'Statistics';
  widget.title.icon = aiserIcon;
  widget.title.closable = true;
  widget.toolbar.addItem(
    'refresh',
    new ToolbarButton({
      icon: refreshIcon,
      tooltip: 'Refresh the statistics',
      onClick: () => void model.refresh()
    })
  );
  widget.disposed.connect(() => {
    model.dispose();
  });
  shell.add(widget, 'main', { type: 'AISER' });
  shell.activateById(ID);
}
