"""From a source in a specification to tables: files, joins, images beside tables.

Enters: a source and what a job may read. Leaves: arrow tables. Reads ``columns``.
"""
