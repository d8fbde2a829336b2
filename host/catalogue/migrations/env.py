"""What Alembic runs: the migrations, in the transaction of :func:`host.catalogue.upgrade.upgrade`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
