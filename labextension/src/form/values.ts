/** What is typed into the form of a connection, and what is sent of it. No state: tested by its rules alone. */

import type { FieldValue, IConnection, IConnector, IField } from '../api/types';

export const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/;
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

/** The fields that are there, beside what else is typed: some belong to one way to sign in. */
export function fieldsOf(connector: IConnector, typed: Typed): readonly IField[] {
  const chosen = (name: string): string => {
    const field = connector.fields.find(each => each.name === name);
    return String((typed[name] || field?.default) ?? '');
  };
  return connector.fields.filter(({ when: [name, ...values] }) =>
    name === undefined ? true : values.includes(chosen(name))
  );
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

/** Fields that a form shows at once: up to the last required or secret one, else all; the others are optional. */
export function divided(fields: readonly IField[]): [readonly IField[], readonly IField[]] {
  const last = fields.map(field => field.required || field.secret).lastIndexOf(true);
  const end = last < 0 ? fields.length : last + 1;
  return [fields.slice(0, end), fields.slice(end)];
}

/** The password of a URL that the server has understood: it does not send it back. */
export function passwordIn(url: string): string {
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
