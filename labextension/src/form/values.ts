/** What is typed into the form of a connection, and what is sent of it. No state: tested by its rules alone. */

import type { FieldValue, IConnection, IConnector, IField } from '../api/types';

export const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/;
/** The field that holds what a sign-in with the browser brought: the server fills it. */
const SIGNED_IN = 'signed_in';

export const NAME_HELP = 'Letters, digits, _ and -, not first a digit; cells call it by this name.';

/**
 * By field: text or a choice as typed, a tick, or for a secret undefined where the saved one is kept and null
 * where it is removed.
 */
export type Typed = Record<string, string | boolean | null | undefined>;

/** What the fields of a connector show at first: what is saved, or their defaults where a tick needs one. */
export function initial(connector: IConnector, saved: IConnection['config'] = {}): Typed {
  return Object.fromEntries(connector.fields.map(field => [field.name, shown(field, saved)]));
}

/** What is typed, as far as another connector has the field. */
export function taken(
  connector: IConnector,
  typed: Typed,
  saved: IConnection['config'] | undefined
): Typed {
  const fresh = initial(connector, saved);
  const kept = Object.entries(typed).filter(
    ([name, value]) => name in fresh && typeof value === 'string' && value !== ''
  );
  return { ...fresh, ...Object.fromEntries(kept) };
}

function shown(field: IField, saved: IConnection['config']): Typed[string] {
  const value = saved[field.name];
  if (field.secret) {
    return isSet(value) ? undefined : '';
  }
  if (field.kind === 'boolean') {
    return typeof value === 'boolean' ? value : field.default === true;
  }
  return value === undefined || value === null || typeof value === 'object' ? '' : String(value);
}

/** Whether the server says of a secret that it has one. */
export function isSet(value: IConnection['config'][string] | undefined): boolean {
  return value !== null && typeof value === 'object';
}

/** The value that a field stands for: null is none, undefined a secret that stays. */
function meant(field: IField, typed: Typed[string]): FieldValue | undefined {
  if (field.secret || field.kind === 'boolean') {
    return typed === '' ? null : typed;
  }
  const text = typeof typed === 'string' ? typed.trim() : '';
  if (text === '') {
    return null;
  }
  return field.kind === 'integer' && /^[+-]?\d+$/.test(text) ? Number(text) : text;
}

/** The choice that is made in a field, or its default. */
function chosen(connector: IConnector, typed: Typed, name: string): string {
  const field = connector.fields.find(each => each.name === name);
  return String((typed[name] || field?.default) ?? '');
}

/** The fields that are there, beside what else is typed: some belong to one way to sign in. */
export function fieldsOf(connector: IConnector, typed: Typed): readonly IField[] {
  return connector.fields.filter(({ when: [name, ...values] }) => {
    const value = name === undefined ? '' : chosen(connector, typed, name);
    return name === undefined || (values.length === 0 ? value !== '' : values.includes(value));
  });
}

/** Every field that has a value: for a connection that is not saved yet. */
export function all(connector: IConnector, typed: Typed): Record<string, FieldValue> {
  return Object.fromEntries(
    fieldsOf(connector, typed).flatMap(field => {
      const value = meant(field, typed[field.name]);
      return value === null || value === undefined ? [] : [[field.name, value]];
    })
  );
}

/** The fields that differ from what is saved; null removes a value. */
export function changes(
  connector: IConnector,
  typed: Typed,
  saved: IConnection['config']
): Record<string, FieldValue> {
  const before = initial(connector, saved);
  const there = fieldsOf(connector, typed);
  return Object.fromEntries(
    connector.fields.flatMap(field => {
      if (!there.includes(field)) {
        return (saved[field.name] ?? null) === null ? [] : [[field.name, null]];
      }
      const value = meant(field, typed[field.name]);
      return value === undefined || value === meant(field, before[field.name])
        ? []
        : [[field.name, value]];
    })
  );
}

/** What is sent of the form, beside its name: all of a new connection, what changed of a saved one. */
export function sent(
  connector: IConnector,
  typed: Typed,
  saved: IConnection | null
): Record<string, FieldValue> {
  return saved
    ? changes(connector, typed, saved.config)
    : { type: connector.type, ...all(connector, typed) };
}

/**
 * Whether the way that is chosen is a sign-in with the browser: `needed` before it can be saved, or `kept`, where
 * an earlier one still holds for what is typed.
 */
export type Browser = '' | 'needed' | 'kept';

export function browserOf(connector: IConnector, typed: Typed, saved: IConnection | null): Browser {
  const { sign_in } = connector;
  if (!sign_in?.values.includes(chosen(connector, typed, sign_in.field))) {
    return '';
  }
  const kept =
    saved !== null &&
    isSet(saved.config[SIGNED_IN]) &&
    rerouted(connector, typed, saved.config).length === 0 &&
    !Object.keys(changes(connector, typed, saved.config)).some(name => name.startsWith('oauth_'));
  return kept ? 'kept' : 'needed';
}

/** Labels of the changed fields that decide where the connection leads: with them the secrets are asked for again. */
export function rerouted(
  connector: IConnector,
  typed: Typed,
  saved: IConnection['config']
): string[] {
  const changed = changes(connector, typed, saved);
  return connector.fields
    .filter(field => field.routing && field.name in changed)
    .filter(
      field => (changed[field.name] ?? field.default) !== (saved[field.name] ?? field.default)
    )
    .map(field => field.label);
}

/** What is wrong, by field, as far as it can be told without the database. */
export function mistakes(
  connector: IConnector,
  typed: Typed,
  saved: IConnection['config'] | null
): Record<string, string> {
  const found: Record<string, string> = {};
  const moved = saved ? rerouted(connector, typed, saved) : [];
  for (const field of fieldsOf(connector, typed)) {
    const value = meant(field, typed[field.name]);
    if (value === undefined && moved.length > 0) {
      found[field.name] =
        `${moved.join(' and ')} changed, so give this again: it is sent only to where it was saved for.`;
    } else if (field.required && value === null) {
      found[field.name] = `${field.label} is needed.`;
    } else if (field.kind === 'integer' && value !== null && !Number.isSafeInteger(value)) {
      found[field.name] = `${field.label} is a whole number.`;
    }
  }
  return found;
}

/** Fields that a form shows at once: up to the last choice, required or secret one, else all; the others are optional. */
export function divided(fields: readonly IField[]): [readonly IField[], readonly IField[]] {
  const weighty = (field: IField): boolean =>
    field.required || field.secret || field.kind === 'choice';
  const last = fields.map(weighty).lastIndexOf(true);
  const end = last < 0 ? fields.length : last + 1;
  return [fields.slice(0, end), fields.slice(end)];
}

/** What a URL says, as the server has understood it, and its password, which the server does not send back. */
export function ofUrl(connector: IConnector, config: IConnection['config'], url: string): Typed {
  const typed = initial(connector, config);
  for (const { name, secret } of connector.fields) {
    if (secret) {
      typed[name] = name === 'password' && isSet(config[name]) ? passwordIn(url) : '';
    }
  }
  return typed;
}

/** The password of a URL that the server has understood: it does not send it back. */
function passwordIn(url: string): string {
  const written = /^[^:]+:\/\/[^:@/?#]*:([^@/?#]*)@/.exec(url.trim())?.[1] ?? '';
  try {
    return decodeURIComponent(written);
  } catch {
    return ''; // it has to be typed
  }
}

/** A URL that could not be read, without the secrets it may hold: they do not stay in a field that shows them. */
export function withoutSecrets(url: string): string {
  return url
    .replace(/^([^:/?#]+:\/\/[^:/?#]*):.*@/, '$1@')
    .replace(/([?&][^=&]*(?:pass|pwd|secret|token|credential|key)[^=&]*=)[^&#]*/gi, '$1');
}
