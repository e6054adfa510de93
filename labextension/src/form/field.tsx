import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IField } from '../api/types';
import { Button } from '../components/button';
import type { Typed } from './values';

export interface IFieldProps {
  field: IField;
  /** Begins the ids of this form. */
  form: string;
  value: Typed[string];
  mistake: string | undefined;
  /** Whether there is a saved secret that could stay. */
  kept: boolean;
  /** Whether all fields here are optional, and it is said of all at once. */
  beside?: boolean;
  onChange: (value: Typed[string]) => void;
}

/** One field of a connector, drawn by its kind, with its label, its help and what is wrong with it. */
export function Field(props: IFieldProps): React.JSX.Element {
  const { field, form, mistake, beside = false } = props;
  const id = `${form}-${field.name}`;
  const told = [field.help && `${id}-help`, mistake && `${id}-mistake`].filter(Boolean).join(' ');
  const input = <Input {...props} id={id} told={told} />;
  const optional = !field.required && field.default === null && !beside;
  return (
    <div className={`aiser-Field aiser-mod-${field.kind}`}>
      {field.kind === 'boolean' ? (
        <label htmlFor={id}>
          {input} {field.label}
        </label>
      ) : (
        <>
          <label htmlFor={id}>
            {field.label}
            {optional && <span className="aiser-Dim"> (optional)</span>}
          </label>
          {input}
        </>
      )}
      <Notes id={id} help={field.help} mistake={mistake} />
    </div>
  );
}

export function Notes(props: {
  id: string;
  help: string;
  mistake: string | undefined;
}): React.JSX.Element {
  const { id, help, mistake } = props;
  return (
    <>
      {help && (
        <p id={`${id}-help`} className="aiser-Field-note aiser-Dim">
          {help}
        </p>
      )}
      <p id={`${id}-mistake`} className="aiser-Field-note aiser-mod-error" aria-live="polite">
        {mistake}
      </p>
    </>
  );
}

function Input(props: IFieldProps & { id: string; told: string }): React.JSX.Element {
  const { field, value, mistake, kept, onChange, id, told } = props;
  const shared = {
    id,
    'aria-describedby': told || undefined,
    'aria-invalid': mistake ? true : undefined,
    'aria-required': field.required || undefined
  };
  const text = typeof value === 'string' ? value : '';
  const write = (event: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>): void => {
    onChange(event.target.value);
  };
  if (field.kind === 'boolean') {
    return (
      <input
        {...shared}
        type="checkbox"
        checked={value === true}
        onChange={event => {
          onChange(event.target.checked);
        }}
      />
    );
  }
  if (field.kind === 'choice') {
    return <Choice {...shared} field={field} value={text} onChange={onChange} />;
  }
  if (field.secret) {
    return (
      <Secret
        {...shared}
        value={value}
        kept={kept}
        onChange={onChange}
        label={field.label}
        lines={field.kind === 'document' ? 4 : 1}
      />
    );
  }
  if (field.kind === 'pem' || field.kind === 'document') {
    return (
      <textarea
        {...shared}
        className="jp-mod-styled"
        rows={4}
        spellCheck={false}
        placeholder={field.kind === 'pem' ? '-----BEGIN CERTIFICATE-----' : ''}
        value={text}
        onChange={write}
      />
    );
  }
  return (
    <input
      {...shared}
      className="jp-mod-styled"
      type="text"
      inputMode={field.kind === 'integer' ? 'numeric' : undefined}
      autoComplete="off"
      spellCheck={false}
      placeholder={field.default === null ? '' : String(field.default)}
      value={text}
      onChange={write}
    />
  );
}

interface IChoiceProps extends Pick<IFieldProps, 'field' | 'onChange'> {
  id: string;
  value: string;
}

/** One of several, by its label; the default is chosen at first, and sent as nothing. */
function Choice({ field, value, onChange, ...shared }: IChoiceProps): React.JSX.Element {
  const usual = field.default === null ? '' : String(field.default);
  return (
    <HTMLSelect
      {...shared}
      iconProps={{ top: '8px', right: '8px' }}
      value={value === usual ? '' : value}
      onChange={event => {
        onChange(event.target.value);
      }}
    >
      {usual === '' && <option value="" />}
      {field.choices.map(choice => (
        <option key={choice.value} value={choice.value === usual ? '' : choice.value}>
          {choice.label}
        </option>
      ))}
    </HTMLSelect>
  );
}

interface ISecretProps extends Pick<IFieldProps, 'value' | 'kept' | 'onChange'> {
  id: string;
  label: string;
  /** Lines that are shown; a key or a document has several. */
  lines: number;
}

/** A secret is written and never read: of a saved one it is only said that it is there. */
function Secret(props: ISecretProps): React.JSX.Element {
  const { value, kept, onChange, label, lines, ...shared } = props;
  const input = {
    ...shared,
    placeholder: kept ? (value === null ? 'will be removed' : 'set; type to replace it') : '',
    value: typeof value === 'string' ? value : '',
    onChange: (event: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>): void => {
      onChange(event.target.value === '' && kept ? undefined : event.target.value);
    }
  };
  return (
    <div className="aiser-Secret">
      {lines > 1 ? (
        <textarea
          {...input}
          className="jp-mod-styled aiser-mod-masked"
          rows={lines}
          autoComplete="off"
          spellCheck={false}
        />
      ) : (
        <input {...input} className="jp-mod-styled" type="password" autoComplete="new-password" />
      )}
      {kept && (
        <Button
          label={value === null ? `Keep the saved ${label}` : `Remove the saved ${label}`}
          onClick={() => {
            onChange(value === null ? undefined : null);
          }}
        >
          {value === null ? 'Keep' : 'Remove'}
        </Button>
      )}
    </div>
  );
}
