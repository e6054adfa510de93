"""What there is to query, and how large it is."""
