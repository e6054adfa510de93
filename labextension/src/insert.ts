import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';

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
    Notification.warning('Open a notebook first: the cell is inserted there.', { autoClose: 5000 });
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
