"""Alembic's entry: runs the migrations on the connection, and in the transaction, that `migration.py` hands over.

To change the schema, change `tables.py`, add a file to `versions/` by hand, and let the tests compare the two.
"""

from alembic import context

from mtnas.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
