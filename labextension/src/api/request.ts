/** The only door to the server extension. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { paths } from '../../types/api';
import type { IErrorBody } from './types';

/** An error the server or the kernel answered, with what to do about it. */
export class AiserError extends Error {
  constructor(
    message: string,
    readonly code = 'error',
    readonly hint = ''
  ) {
    super(message);
  }

  static from(body: Pick<IErrorBody, 'error' | 'error_code' | 'hint'>): AiserError {
    return new AiserError(body.error, body.error_code, body.hint);
  }
}

/** What the panel shows of anything that was thrown. */
export function asAiserError(reason: unknown): AiserError {
  return reason instanceof AiserError ? reason : new AiserError(String(reason));
}

type Verb = 'get' | 'post' | 'patch' | 'delete';
type Path<V extends Verb> = {
  [P in keyof paths]: paths[P] extends Record<V, { responses: object }> ? P : never;
}[keyof paths];
type Json<R> = R extends { content: { 'application/json': infer Body } } ? Body : never;
type Answer<V extends Verb, P extends Path<V>> =
  paths[P] extends Record<V, { responses: infer R }> ? Json<R[(200 | 201) & keyof R]> : never;

export interface IParts {
  /** Fills `{id}` of the path. */
  id?: string;
  query?: Record<string, string>;
  body?: object;
}

/**
 * Call one operation of the contract, below the extension's prefix.
 *
 * `makeRequest` adds the token and the XSRF header, which a bare `fetch` would not.
 */
export async function request<V extends Verb, P extends Path<V>>(
  verb: V,
  path: P,
  { id = '', query = {}, body }: IParts = {}
): Promise<Answer<V, P>> {
  const settings = ServerConnection.makeSettings();
  const place = path.replace('{id}', encodeURIComponent(id));
  const url = URLExt.join(settings.baseUrl, 'aiser', place) + URLExt.objectToQueryString(query);
  const init: RequestInit = { method: verb.toUpperCase() };
  if (body) {
    init.body = JSON.stringify(body);
    init.headers = { 'Content-Type': 'application/json' };
  }
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(url, init, settings);
  } catch {
    throw new AiserError('The Jupyter server does not answer.', 'network', 'Is it still running?');
  }
  return read(response) as Promise<Answer<V, P>>;
}

const RELOAD = 'If the server was restarted, reload the page: it knows you by a new token.';

async function read(response: Response): Promise<unknown> {
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = null; // a proxy's page, or none at all
  }
  if (response.ok && body !== null) {
    return body;
  }
  if (body !== null && typeof body === 'object' && 'error_code' in body) {
    const said = body as IErrorBody;
    const restarted = response.status === 403 && said.error_code === 'forbidden';
    throw AiserError.from(restarted ? { ...said, hint: RELOAD } : said);
  }
  throw new AiserError(
    `The server answered ${response.status} ${response.statusText}.`,
    'http',
    response.status === 404
      ? 'Is the server extension enabled? See `jupyter server extension list`.'
      : ''
  );
}
