import type { LabIcon } from '@jupyterlab/ui-components';
import {
  addIcon,
  collapseAllIcon,
  launchIcon,
  PanelWithToolbar,
  refreshIcon,
  SidePanel,
  ToolbarButton
} from '@jupyterlab/ui-components';
import { AccordionPanel } from '@lumino/widgets';
import * as React from 'react';

import { Catalog } from './catalog/catalog';
import type { KernelChannel } from './catalog/channel';
import { KernelCatalog } from './catalog/kernel';
import { CatalogModel } from './catalog/model';
import type { ITableActions } from './catalog/tree';
import type { ISectionModel } from './components/frame';
import { SectionView } from './components/frame';
import type { IConnectionActions } from './connections/connections';
import { Connections } from './connections/connections';
import type { ConnectionsModel } from './connections/model';
import { aiserIcon } from './icon';
import { History } from './monitor/history';
import { HistoryModel } from './monitor/model';
import { StatisticsModel } from './statistics/model';
import { Statistics } from './statistics/statistics';

/** One collapsible part of the panel. */
class Section<M extends ISectionModel> extends PanelWithToolbar {
  constructor(title: string, model: M, draw: (model: M) => React.JSX.Element) {
    super();
    this.addClass('aiser-Section-panel');
    this.title.label = title;
    this.addWidget(new SectionView(model, draw));
    const name = title.toLowerCase();
    this.addButton('collapse', collapseAllIcon, `Close all in the ${name}`, () => {
      model.collapseAll();
    });
    this.addButton('refresh', refreshIcon, `Refresh the ${name}`, () => {
      void model.refresh(true);
    });
  }

  addButton(name: string, icon: LabIcon, tooltip: string, onClick: () => void): void {
    this.toolbar.addItem(name, new ToolbarButton({ icon, onClick, tooltip }));
  }
}

export interface IPanelActions extends ITableActions, Omit<IConnectionActions, 'browse'> {
  /** Show the statistics as wide as the main area. */
  openStatistics: () => void;
}

/** The sidebar panel "AISER": connections, what is in them, what runs, what ran, and its figures. */
export class AiserPanel extends SidePanel {
  constructor(channel: KernelChannel, connections: ConnectionsModel, actions: IPanelActions) {
    super();
    this.id = 'aiser-panel';
    this.addClass('aiser-Panel');
    this.title.icon = aiserIcon;
    this.title.caption = 'AISER: connections, catalog and queries';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'AISER');

    const catalog = new CatalogModel(new KernelCatalog(channel), connections);
    const history = new HistoryModel();
    channel.event.connect((_, event) => {
      if (event === 'history') {
        void history.refresh();
      }
    });
    const listed = new Section('Connections', connections, model =>
      React.createElement(Connections, {
        model,
        edit: actions.edit,
        remove: actions.remove,
        browse: ({ id }) => {
          if (this.content instanceof AccordionPanel) {
            this.content.expand(1);
          }
          catalog.select(id);
        }
      })
    );
    listed.addButton('add', addIcon, 'Connect a database', () => {
      actions.edit();
    });
    const { insert, insertName } = actions;
    this.addWidget(listed);
    this.addWidget(
      new Section('Catalog', catalog, model =>
        React.createElement(Catalog, { model, insert, insertName })
      )
    );
    this.addWidget(
      new Section('Queries', history, model => React.createElement(History, { model, insert }))
    );
    const figures = new Section('Statistics', new StatisticsModel(), model =>
      React.createElement(Statistics, { model, insert, edit: actions.edit })
    );
    figures.addButton('open', launchIcon, 'Open the statistics in a tab', actions.openStatistics);
    this.addWidget(figures);
    if (this.content instanceof AccordionPanel) {
      this.content.collapse(3); // the others are looked at more often, and need the height
    }
  }
}
