"""Where a query is computed. Engines reach a database only through a connector's `Session`."""
