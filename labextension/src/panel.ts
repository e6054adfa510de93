import type { LabIcon, VDomModel } from '@jupyterlab/ui-components';
import {
  addIcon,
  collapseAllIcon,
  PanelWithToolbar,
  refreshIcon,
  SidePanel,
  ToolbarButton
} from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { AccordionPanel } from '@lumino/widgets';
import * as React from 'react';

import { Catalog } from './catalog/catalog';
import type { KernelChannel } from './catalog/channel';
import { KernelCatalog } from './catalog/kernel';
import { CatalogModel } from './catalog/model';
import type { ITableActions } from './catalog/tree';
import { SectionView } from './components/frame';
import type { IConnectionActions } from './connections/connections';
import { Connections } from './connections/connections';
import type { ConnectionsModel } from './connections/model';
import { aiserIcon } from './icon';
import { History } from './monitor/history';
import { HistoryModel } from './monitor/model';

interface ISectionModel extends VDomModel {
  visible: boolean;
  collapseAll(): void;
  refresh(force?: boolean): Promise<void>;
}

/** One collapsible part of the panel. Its model learns whether anybody sees it. */
class Section<M extends ISectionModel> extends PanelWithToolbar {
  constructor(
    title: string,
    private readonly model: M,
    draw: (model: M) => React.JSX.Element
  ) {
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

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.model.visible = this.isVisible;
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.model.visible = false;
  }
}

export type IPanelActions = ITableActions & Omit<IConnectionActions, 'browse'>;

/** The sidebar panel "AISER": connections, what is in them, what runs and what ran. */
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
  }
}
