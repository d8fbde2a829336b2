"""What brings an older catalogue to the tables of :mod:`host.catalogue.schema`, by Alembic."""
