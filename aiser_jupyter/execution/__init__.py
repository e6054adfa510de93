"""How a query is run: threads with limits and deadlines, collecting under caps, and the result cache."""
