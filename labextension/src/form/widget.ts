import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, Notification } from '@jupyterlab/apputils';

import type { IConnection } from '../api/types';
import { aiserIcon } from '../icon';
import { FormView } from './form';
import { FormModel } from './model';

/** Show the form of a connection, or of a new one, in the main area; there is one form of each. */
export function openForm(
  shell: JupyterFrontEnd.IShell,
  connection: IConnection | null,
  onSaved: (connection: IConnection) => void
): void {
  const id = `aiser-connection-${connection?.id ?? 'new'}`;
  const there = [...shell.widgets('main')].find(widget => widget.id === id);
  if (there) {
    shell.activateById(id);
    return;
  }
  const model = new FormModel(connection);
  const view = new FormView(model, () => {
    widget.close();
  });
  view.id = `${id}-form`;
  const widget = new MainAreaWidget({ content: view });
  widget.id = id;
  widget.title.label = connection ? `Edit ${connection.name}` : 'New connection';
  widget.title.icon = aiserIcon;
  widget.title.closable = true;
  widget.disposed.connect(() => {
    model.dispose();
  });
  model.done.connect((_, saved) => {
    widget.close();
    Notification.success(
      `${saved.name} is saved. A cell that begins with %%aiser ${saved.name} asks it.`,
      {
        autoClose: 5000
      }
    );
    onSaved(saved);
  });
  shell.add(widget, 'main', { type: 'AISER' });
  shell.activateById(id);
}
