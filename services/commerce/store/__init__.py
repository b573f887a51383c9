"""Tables and queries. Nothing here commits."""
