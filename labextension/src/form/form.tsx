import { VDomRenderer } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IField } from '../api/types';
import { Checks } from '../components/checks';
import { ErrorMessage, Message } from '../components/message';
import { SignInView } from '../signIn/view';
import { Field, Notes } from './field';
import { Foot } from './foot';
import { Kinds } from './kinds';
import type { FormModel } from './model';
import { PasteUrl } from './pasteUrl';
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
  const { saved, connectors, connector, error, test, signIn } = model;
  const { going, current, ended } = signIn;
  const node = React.useRef<HTMLFormElement>(null);
  React.useEffect(() => {
    node.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [model.refused]);
  React.useEffect(() => {
    node.current?.querySelector<HTMLElement>('input')?.focus();
  }, [connectors]);
  React.useEffect(() => {
    const last = node.current?.querySelector('.aiser-Form > :last-child');
    last?.scrollIntoView({ block: 'nearest' });
  }, [test, error, going, current, ended]);
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
        model.submit();
      }}
    >
      <h1>{saved ? `Edit ${saved.name}` : 'Connect a database'}</h1>
      <fieldset className="aiser-Form-body" disabled={going}>
        {!saved && <PasteUrl model={model} form={form} />}
        {saved ? (
          <p className="aiser-Dim">{connector?.label ?? saved.type}</p>
        ) : (
          <Kinds model={model} form={form} />
        )}
        {connector && <Fields model={model} form={form} />}
      </fieldset>
      {error && <ErrorMessage error={error} />}
      {test && <Checks test={test} stale={model.stale} />}
      <SignInView model={signIn} />
      {connector && !going && <Foot model={model} onCancel={onCancel} />}
    </form>
  );
}

function Fields({ model, form }: Omit<IFormProps, 'onCancel'>): React.JSX.Element {
  const { connector, typed, saved, mistakes } = model;
  const [first, others] = divided(connector ? fieldsOf(connector, typed) : []);
  const draw = (field: IField, beside = false): React.JSX.Element => (
    <Field
      key={`${connector?.type ?? ''} ${field.name}`}
      field={field}
      form={form}
      beside={beside}
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
        {first.map(field => draw(field))}
      </div>
      {others.length > 0 && (
        <details
          className="aiser-More"
          open={open || wrong}
          onToggle={event => {
            setOpen(event.currentTarget.open);
          }}
        >
          <summary>More, all optional: {others.map(field => field.label).join(', ')}</summary>
          <div className="aiser-Fields">{others.map(field => draw(field, true))}</div>
        </details>
      )}
    </>
  );
}
