/** Names for what crosses the wire. The shapes are generated from the server's own openapi.yaml. */

import type { components } from '../../types/api';

type Schemas = components['schemas'];

export type ICatalog = Schemas['Catalog'];
export type ICheck = Schemas['Check'];
export type IColumn = Schemas['Column'];
export type IConnection = Schemas['Connection'];
export type IConnectionHealth = Schemas['ConnectionHealth'];
export type IConnectionTest = Schemas['ConnectionTest'];
export type IConnector = Schemas['Connector'];
export type IErrorBody = Schemas['Error'];
export type IField = Schemas['Field'];
export type IHistoryEntry = Schemas['HistoryEntry'];
export type ILoad = Schemas['Load'];
export type IStatistics = Schemas['Statistics'];
export type ISignIn = Schemas['SignIn'];
export type ITable = Schemas['Table'];
export type ITimings = Schemas['Timings'];
export type RunState = Schemas['RunState'];

/** The value of one field of a connection. */
export type FieldValue = Schemas['FieldValue'];
