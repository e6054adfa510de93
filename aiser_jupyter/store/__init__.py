"""What survives a restart: one SQLite file a user, with the connections and the history."""
