import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';

import type { IName } from './sql';
import { nameIn } from './sql';

/**
 * Insert a code cell below the active one of the current notebook, and run it if asked.
 *
 * @returns Whether there was a notebook to insert it into.
 */
export async function insertCell(
  shell: JupyterFrontEnd.IShell,
  tracker: INotebookTracker,
  source: string,
  run: boolean
): Promise<boolean> {
  const panel = tracker.currentWidget;
  if (!panel) {
    warn();
    return false;
  }
  const { content, sessionContext } = panel;
  NotebookActions.insertBelow(content);
  if (content.activeCell?.model.type !== 'code') {
    NotebookActions.changeCellType(content, 'code'); // the reader's default cell may be another
  }
  content.activeCell?.model.sharedModel.setSource(source);
  shell.activateById(panel.id);
  await content.scrollToItem(content.activeCellIndex, 'smart');
  if (run) {
    await NotebookActions.run(content, sessionContext);
  } else {
    content.mode = 'edit';
  }
  return true;
}

/** Write a name at the cursor of the active cell, as its connection needs it. */
export async function insertName(
  shell: JupyterFrontEnd.IShell,
  tracker: INotebookTracker,
  name: IName
): Promise<boolean> {
  const panel = tracker.currentWidget;
  const cell = panel?.content.activeCell;
  if (!panel || !cell) {
    warn();
    return false;
  }
  shell.activateById(panel.id);
  await panel.content.scrollToItem(panel.content.activeCellIndex, 'smart');
  await cell.ready;
  cell.editor?.replaceSelection?.(nameIn(cell.model.sharedModel.getSource(), name));
  panel.content.mode = 'edit';
  return true;
}

function warn(): void {
  Notification.warning('Open a notebook first: it is inserted there.', { autoClose: 5000 });
}
