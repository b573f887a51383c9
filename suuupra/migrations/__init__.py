"""The schema of a service's database: `python -m suuupra migrate NAME`, and what pods demand of it.

Versions live in services/NAME/migrations/versions; the alembic environment is this package's, for all services.
Migrations run as the database's owner, in one Job that gates the rollout, under an advisory lock, so that two Jobs
do not race. Each version is one transaction, and waits at most 5 s for a lock: a migration that would queue behind
a long transaction, and make every request queue behind itself, fails instead and is tried again by its Job. A server
that is away is waited for.

Old and new pods run side by side, so a change is three releases:

1. **expand**: add tables, nullable columns or columns with a constant default, indexes (CONCURRENTLY);
2. **migrate**: new code writes both, reads the new; a command fills what is old, in small batches;
3. **contract**: drop what no running pod reads any more.

A pod is not ready on a schema that is older than its newest version, and is content with a newer one.
"""

from suuupra.migrations.schema import (
    Migrated,
    NotConnected,
    Schema,
    SchemaOutdated,
    Status,
    migrate,
    pending_sql,
    status,
)

__all__ = [
    "Migrated",
    "NotConnected",
    "Schema",
    "SchemaOutdated",
    "Status",
    "migrate",
    "pending_sql",
    "status",
]
