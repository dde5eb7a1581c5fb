"""From tables to arrays: schemas fitted on training rows, encoded rows, and where they are kept on disk.

Enters: tables. Leaves: ``EncodedData``. Reads ``columns``; ``mtnas.data.loading`` puts it together.
"""
