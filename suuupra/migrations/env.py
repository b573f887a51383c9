"""alembic's environment, shared by every service: it runs what `suuupra.migrations.alembic_run` prepared.

alembic executes this file; it is not imported. There is no alembic.ini: `alembic_run` makes the configuration.
"""

from alembic import context

connection = context.config.attributes["connection"]
if connection is None:
    context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
else:
    context.configure(connection=connection, transaction_per_migration=True)

with context.begin_transaction():
    context.run_migrations()
