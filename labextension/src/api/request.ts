/** The only door to the server extension. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

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

  static from(body: IErrorBody): AiserError {
    return new AiserError(body.error, body.error_code, body.hint);
  }
}

/** What the panel shows of anything that was thrown. */
export function asAiserError(reason: unknown): AiserError {
  return reason instanceof AiserError ? reason : new AiserError(String(reason));
}

/**
 * GET `path` below the extension's prefix.
 *
 * `makeRequest` adds the token and the XSRF header, which a bare `fetch` would not.
 */
export async function get<T>(path: string, query: Record<string, string> = {}): Promise<T> {
  const settings = ServerConnection.makeSettings();
  const url = URLExt.join(settings.baseUrl, 'aiser', path) + URLExt.objectToQueryString(query);
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(url, {}, settings);
  } catch {
    throw new AiserError('The Jupyter server does not answer.', 'network', 'Is it still running?');
  }
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = null; // a proxy's page, or none at all
  }
  if (response.ok && body !== null) {
    return body as T;
  }
  if (body !== null && typeof body === 'object' && 'error_code' in body) {
    throw AiserError.from(body as IErrorBody);
  }
  throw new AiserError(
    `The server answered ${response.status} ${response.statusText}.`,
    'http',
    response.status === 404
      ? 'Is the server extension enabled? See `jupyter server extension list`.'
      : ''
  );
}
