import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { Dialog, ICommandPalette, showDialog } from '@jupyterlab/apputils';
import type { IEditorExtensionFactory } from '@jupyterlab/codemirror';
import {
  EditorExtensionRegistry,
  IEditorExtensionRegistry,
  IEditorLanguageRegistry
} from '@jupyterlab/codemirror';
import { INotebookTracker } from '@jupyterlab/notebook';

import type { IConnection } from './api/types';
import { KernelChannel } from './catalog/channel';
import { ConnectionsModel } from './connections/model';
import { openForm } from './form/widget';
import { highlight, mixedLanguage } from './highlight';
import { insertCell, insertName } from './insert';
import { AiserPanel } from './panel';
import { magicCell } from './sql';
import { openStatistics } from './statistics/widget';

const INSERT = 'aiser:insert-cell';
const CONNECT = 'aiser:connect';
const STATISTICS = 'aiser:statistics';

const commands: JupyterFrontEndPlugin<void> = {
  id: 'aiser-jupyter:commands',
  description: 'Inserts %%aiser cells.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker, palette: ICommandPalette | null) => {
    app.commands.addCommand(INSERT, {
      label: 'Insert %%aiser Cell',
      caption: 'Insert a cell below the active one',
      describedBy: {
        args: {
          type: 'object',
          properties: {
            source: { type: 'string', description: 'The whole cell; an empty query by default' },
            run: { type: 'boolean', description: 'Whether to run it' }
          }
        }
      },
      execute: args => {
        const source = typeof args['source'] === 'string' ? args['source'] : magicCell('');
        return insertCell(app.shell, tracker, source, args['run'] === true);
      }
    });
    palette?.addItem({ command: INSERT, category: 'AISER' });
  }
};

const panel: JupyterFrontEndPlugin<void> = {
  id: 'aiser-jupyter:panel',
  description: 'The sidebar with connections, catalog, running queries, history and statistics.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ) => {
    const connections = new ConnectionsModel();
    const edit = (connection: IConnection | null = null): void => {
      openForm(app.shell, connection, () => void connections.refresh());
    };
    const insert = (source: string, run: boolean): void => {
      void app.commands.execute(INSERT, { source, run });
    };
    const widget = new AiserPanel(new KernelChannel(tracker), connections, {
      insert,
      insertName: name => void insertName(app.shell, tracker, name),
      edit,
      remove: connection => void remove(connections, connection),
      openStatistics: () => void app.commands.execute(STATISTICS)
    });
    app.commands.addCommand(CONNECT, {
      label: 'Connect a Database',
      caption: 'Open the form of a new connection',
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => {
        edit();
      }
    });
    app.commands.addCommand(STATISTICS, {
      label: 'Show Statistics',
      caption: 'What ran, where, how long, and what failed',
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => {
        openStatistics(app.shell, { insert, edit });
      }
    });
    for (const command of [CONNECT, STATISTICS]) {
      palette?.addItem({ command, category: 'AISER' });
    }
    app.shell.add(widget, 'left', { rank: 600, type: 'AISER' });
    restorer?.add(widget, widget.id);
  }
};

/** Delete a connection, once it was asked for in so many words. */
async function remove(connections: ConnectionsModel, { id, name }: IConnection): Promise<void> {
  const { button } = await showDialog({
    title: `Delete ${name}?`,
    body: `The connection and its saved secrets are forgotten. Cells that name ${name} will fail. The database itself stays as it is.`,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Delete' })],
    defaultButton: 0
  });
  if (button.accept) {
    await connections.remove(id);
  }
}

const highlighting: JupyterFrontEndPlugin<void> = {
  id: 'aiser-jupyter:highlight',
  description: 'SQL highlighting in %%aiser cells.',
  autoStart: true,
  requires: [IEditorExtensionRegistry, IEditorLanguageRegistry],
  activate: (
    _: JupyterFrontEnd,
    extensions: IEditorExtensionRegistry,
    languages: IEditorLanguageRegistry
  ) => {
    const mixed = mixedLanguage(languages).catch((reason: unknown) => {
      console.error('aiser-jupyter: %%aiser cells stay without SQL highlighting.', reason);
      return null;
    });
    extensions.addExtension({
      name: highlighting.id,
      factory: ({ model }: IEditorExtensionFactory.IOptions) =>
        EditorExtensionRegistry.createImmutableExtension(highlight(model, mixed))
    });
  }
};

export default [commands, panel, highlighting];
