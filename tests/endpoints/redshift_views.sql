-- Redshift's catalog on PostgreSQL: the columns of its views that are asked for, by their names and types.
-- Run by a superuser in each database.
SET allow_system_table_mods = on;

CREATE VIEW pg_catalog.svv_redshift_databases AS
SELECT datname::varchar AS database_name, 'local'::varchar AS database_type
FROM pg_database WHERE NOT datistemplate AND has_database_privilege(oid, 'CONNECT');

CREATE VIEW pg_catalog.svv_all_schemas AS
SELECT current_database()::varchar AS database_name, nspname::varchar AS schema_name,
  'local'::varchar AS schema_type
FROM pg_namespace WHERE has_schema_privilege(oid, 'USAGE');

CREATE VIEW pg_catalog.svv_all_tables AS
SELECT current_database()::varchar AS database_name, n.nspname::varchar AS schema_name,
  c.relname::varchar AS table_name,
  CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'EXTERNAL TABLE' ELSE 'TABLE' END::varchar AS table_type,
  obj_description(c.oid, 'pg_class')::varchar AS remarks
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND has_schema_privilege(n.oid, 'USAGE')
  AND has_any_column_privilege(c.oid, 'SELECT');

-- A view that is bound late has no columns here; those are taken for it whose names begin with "late".
CREATE VIEW pg_catalog.svv_all_columns AS
SELECT current_database()::varchar AS database_name, table_schema::varchar AS schema_name,
  table_name::varchar, column_name::varchar, ordinal_position::integer, data_type::varchar,
  is_nullable::varchar, character_maximum_length::integer,
  CASE data_type WHEN 'numeric' THEN numeric_precision END::integer AS numeric_precision,
  numeric_scale::integer,
  col_description(format('%I.%I', table_schema, table_name)::regclass, ordinal_position)::varchar AS remarks
FROM information_schema.columns
WHERE table_name NOT LIKE 'late%';

-- A column whose comment begins with "dist" is the distribution key, one with "sort" the first of the sort key.
CREATE VIEW pg_catalog.svv_redshift_columns AS
SELECT database_name, schema_name, table_name, column_name, ordinal_position, data_type, is_nullable,
  coalesce(remarks LIKE 'dist%', false) AS distkey,
  CASE WHEN remarks LIKE '%sort%' THEN 1 ELSE 0 END AS sortkey, remarks
FROM pg_catalog.svv_all_columns;

CREATE VIEW pg_catalog.svv_table_info AS
SELECT current_database()::text AS "database", n.nspname::text AS "schema", c.oid AS table_id,
  c.relname::text AS "table", greatest(pg_total_relation_size(c.oid) / 1048576, 1)::bigint AS size,
  c.reltuples::numeric(38, 0) AS tbl_rows
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.reltuples > 0 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

CREATE VIEW pg_catalog.sys_query_history AS
SELECT a.usesysid::integer AS user_id, a.pid::bigint AS query_id, a.application_name::char(320) AS query_label,
  a.pid AS session_id, a.datname::varchar AS database_name,
  CASE a.state WHEN 'active' THEN 'running' ELSE 'success' END::char(10) AS status, a.query AS query_text
FROM pg_stat_activity a
WHERE a.usesysid = (SELECT usesysid FROM pg_user WHERE usename = current_user);

GRANT SELECT ON ALL TABLES IN SCHEMA pg_catalog TO public;
-- A cluster shows sizes to those alone who were given the right.
REVOKE SELECT ON pg_catalog.svv_table_info FROM public;
GRANT SELECT ON pg_catalog.svv_table_info TO ann;
