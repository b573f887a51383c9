"""Tests against real PostgreSQL, Kafka and object store. See `on_cluster` for why each folder is a package of its own."""
