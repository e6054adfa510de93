import type { VDomModel } from '@jupyterlab/ui-components';
import {
  collapseAllIcon,
  PanelWithToolbar,
  refreshIcon,
  SidePanel,
  ToolbarButton
} from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import type { Widget } from '@lumino/widgets';

import { CatalogView } from './catalog/catalog';
import type { KernelChannel } from './catalog/channel';
import { CatalogModel } from './catalog/model';
import { aiserIcon } from './icon';
import { HistoryView } from './monitor/history';
import { HistoryModel } from './monitor/model';

interface ISectionModel extends VDomModel {
  visible: boolean;
  collapseAll(): void;
}

/** One collapsible part of the panel. Its model learns whether anybody sees it. */
class Section extends PanelWithToolbar {
  constructor(
    title: string,
    private readonly model: ISectionModel,
    view: Widget,
    refresh: () => void
  ) {
    super();
    this.addClass('aiser-Section-panel');
    this.title.label = title;
    this.addWidget(view);
    const name = title.toLowerCase();
    this.toolbar.addItem(
      'collapse',
      new ToolbarButton({
        icon: collapseAllIcon,
        onClick: () => {
          model.collapseAll();
        },
        tooltip: `Close all in the ${name}`
      })
    );
    this.toolbar.addItem(
      'refresh',
      new ToolbarButton({ icon: refreshIcon, onClick: refresh, tooltip: `Refresh the ${name}` })
    );
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

/** The sidebar panel "AISER": the catalog of `local` and the history. */
export class AiserPanel extends SidePanel {
  constructor(channel: KernelChannel, insert: (source: string, run: boolean) => void) {
    super();
    this.id = 'aiser-panel';
    this.addClass('aiser-Panel');
    this.title.icon = aiserIcon;
    this.title.caption = 'AISER: catalog and history';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'AISER');

    const catalog = new CatalogModel(channel);
    const history = new HistoryModel();
    channel.event.connect((_, event) => {
      if (event === 'history') {
        history.refresh();
      }
    });
    this.addWidget(
      new Section('Catalog', catalog, new CatalogView(catalog, insert), () => {
        void catalog.refresh(true);
      })
    );
    this.addWidget(
      new Section('History', history, new HistoryView(history, insert), () => {
        history.refresh();
      })
    );
  }
}
