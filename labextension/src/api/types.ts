/** What crosses the wire, as `aiser_jupyter/wire.py` writes it. `null` is "unknown". */

export interface IErrorBody {
  error: string;
  error_code: string;
  hint: string;
}

export interface IColumn {
  name: string;
  type: string;
  nullable: boolean | null;
  comment: string | null;
}

export interface ITable {
  name: string;
  kind: 'file' | 'frame' | 'table' | 'view';
  schema: string | null;
  rows: number | null;
  bytes: number | null;
  source: string;
  comment: string | null;
  columns: IColumn[] | null;
}

export type RunState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled' | 'lost';

export interface ITimings {
  plan: number;
  queue: number;
  connect: number;
  execute: number;
  fetch: number;
  convert: number;
}

export interface IHistoryEntry {
  id: string;
  started_at: string;
  user: string;
  connection: string;
  state: RunState;
  sql: string;
  kind: string;
  engine: string;
  reason: string;
  pinned: boolean;
  cached: boolean;
  estimated_seconds: number | null;
  seconds: number | null;
  timings: ITimings;
  rows: number | null;
  bytes: number | null;
  truncated: boolean;
  error_code: string;
  error: string;
  cell: string;
}

export interface IHistoryReply {
  history: IHistoryEntry[];
  count: number;
}
