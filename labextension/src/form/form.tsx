import { VDomRenderer } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IField } from '../api/types';
import { Button } from '../components/button';
import { Checks } from '../components/checks';
import { ErrorMessage, Message } from '../components/message';
import { Field, Notes } from './field';
import { Kinds } from './kinds';
import type { FormModel } from './model';
import { divided, fieldsOf, isSet, NAME_HELP } from './values';

/** The form of a connection, as wide as the main area. */
export class FormView extends VDomRenderer<FormModel> {
  constructor(model: FormModel, onCancel: () => void) {
    super(model);
    this.addClass('aiser-Form-area');
    this._onCancel = onCancel;
  }

  protected override render(): React.JSX.Element {
    return <Form model={this.model} form={this.id} onCancel={this._onCancel} />;
  }

  private readonly _onCancel: () => void;
}

export interface IFormProps {
  model: FormModel;
  form: string;
  onCancel: () => void;
}

function Form({ model, form, onCancel }: IFormProps): React.JSX.Element {
  const { saved, connectors, connector, error, busy, test } = model;
  const node = React.useRef<HTMLFormElement>(null);
  React.useEffect(() => {
    node.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [model.refused]);
  React.useEffect(() => {
    node.current?.querySelector<HTMLElement>('input')?.focus();
  }, [connectors]);
  React.useEffect(() => {
    node.current?.querySelector('.aiser-Foot')?.scrollIntoView({ block: 'nearest' });
  }, [test, error]);
  if (connectors === null) {
    return error ? (
      <ErrorMessage error={error} />
    ) : (
      <Message>Reading the kinds of database…</Message>
    );
  }
  return (
    <form
      ref={node}
      className="aiser-Form"
      aria-label={saved ? `Connection ${saved.name}` : 'New connection'}
      noValidate
      onSubmit={event => {
        event.preventDefault();
        if (!busy) {
          void (model.passed ? model.save() : model.tryOut());
        }
      }}
    >
      <h1>{saved ? `Edit ${saved.name}` : 'Connect a database'}</h1>
      {!saved && <PasteUrl model={model} form={form} />}
      {saved ? (
        <p className="aiser-Dim">{connector?.label ?? saved.type}</p>
      ) : (
        <Kinds model={model} form={form} />
      )}
      {connector && <Fields model={model} form={form} />}
      {error && <ErrorMessage error={error} />}
      {test && <Checks test={test} stale={model.stale} />}
      {connector && <Foot model={model} onCancel={onCancel} />}
    </form>
  );
}

function PasteUrl({ model, form }: Omit<IFormProps, 'onCancel'>): React.JSX.Element {
  const id = `${form}-url`;
  const read = (): void => {
    if (model.url.trim() && !model.busy) {
      void model.readUrl();
    }
  };
  return (
    <div className="aiser-Field">
      <label htmlFor={id}>
        Paste a URL <span className="aiser-Dim">(optional)</span>
      </label>
      <div className="aiser-Secret">
        <input
          id={id}
          className="jp-mod-styled"
          type="text"
          autoComplete="off"
          spellCheck={false}
          placeholder="postgresql://user:password@host:5432/database"
          aria-describedby={`${id}-help`}
          value={model.url}
          onChange={event => {
            model.url = event.target.value;
            model.stateChanged.emit();
          }}
          onKeyDown={event => {
            if (event.key === 'Enter') {
              event.preventDefault();
              read();
            }
          }}
        />
        <Button onClick={read} disabled={!model.url.trim() || model.busy !== ''}>
          Fill in and test
        </Button>
      </div>
      <Notes
        id={id}
        help="Fills the fields below, a password into its own. Or choose a database and fill them yourself."
        mistake=""
      />
    </div>
  );
}

function Fields({ model, form }: Omit<IFormProps, 'onCancel'>): React.JSX.Element {
  const { connector, typed, saved, mistakes } = model;
  const [first, others] = divided(connector ? fieldsOf(connector, typed) : []);
  const draw = (field: IField): React.JSX.Element => (
    <Field
      key={`${connector?.type ?? ''} ${field.name}`}
      field={field}
      form={form}
      value={typed[field.name]}
      mistake={mistakes[field.name]}
      kept={field.secret && isSet(saved?.config[field.name])}
      onChange={value => {
        model.write(field.name, value);
      }}
    />
  );
  const wrong = others.some(field => mistakes[field.name]);
  const [open, setOpen] = React.useState(false);
  const id = `${form}-connection-name`;
  return (
    <>
      <div className="aiser-Fields">
        <div className="aiser-Field">
          <label htmlFor={id}>Name</label>
          <input
            id={id}
            className="jp-mod-styled"
            type="text"
            autoComplete="off"
            spellCheck={false}
            placeholder="shop"
            aria-required
            aria-invalid={mistakes['name'] ? true : undefined}
            aria-describedby={`${id}-help ${id}-mistake`}
            value={model.name}
            onChange={event => {
              model.rename(event.target.value);
            }}
          />
          <Notes id={id} help={NAME_HELP} mistake={mistakes['name']} />
        </div>
        {first.map(draw)}
      </div>
      {others.length > 0 && (
        <details
          className="aiser-More"
          open={open || wrong}
          onToggle={event => {
            setOpen(event.currentTarget.open);
          }}
        >
          <summary>More: {others.map(field => field.label).join(', ')}</summary>
          <div className="aiser-Fields">{others.map(draw)}</div>
        </details>
      )}
    </>
  );
}

function Foot({ model, onCancel }: Pick<IFormProps, 'model' | 'onCancel'>): React.JSX.Element {
  const { busy, passed } = model;
  return (
    <div className="aiser-Foot">
      <Button
        submit={!passed}
        accept={!passed}
        disabled={busy !== ''}
        onClick={passed ? () => void model.tryOut() : undefined}
      >
        {busy === 'testing' || busy === 'reading' ? 'Testing…' : passed ? 'Test again' : 'Test'}
      </Button>
      <Button submit={passed} accept={passed} disabled={!passed || busy !== ''}>
        {busy === 'saving' ? 'Saving…' : 'Save'}
      </Button>
      <Button onClick={onCancel}>Cancel</Button>
      <span className="aiser-Dim" aria-live="polite">
        {busy === 'testing' && 'Asking the database, step by step…'}
        {busy === '' && !passed && 'It is saved once a test has passed.'}
      </span>
    </div>
  );
}
