"""A small BigQuery on loopback: REST v2 and the Storage Read API, on DuckDB."""
