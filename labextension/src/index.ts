import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import type { IEditorExtensionFactory } from '@jupyterlab/codemirror';
import {
  EditorExtensionRegistry,
  IEditorExtensionRegistry,
  IEditorLanguageRegistry
} from '@jupyterlab/codemirror';
import { INotebookTracker } from '@jupyterlab/notebook';

import { KernelChannel } from './catalog/channel';
import { highlight, mixedLanguage } from './highlight';
import { insertCell } from './insert';
import { AiserPanel } from './panel';
import { magicCell } from './sql';

const INSERT = 'aiser:insert-cell';

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
  description: 'The sidebar with the catalog and the history.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker, restorer: ILayoutRestorer | null) => {
    const widget = new AiserPanel(new KernelChannel(tracker), (source, run) => {
      void app.commands.execute(INSERT, { source, run });
    });
    app.shell.add(widget, 'left', { rank: 600, type: 'AISER' });
    restorer?.add(widget, widget.id);
  }
};

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
