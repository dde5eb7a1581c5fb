"""What both databases need said alike: the clock, JSON, identifiers, inserts, records of rows, sorting.

Enters and leaves: SQLAlchemy expressions and plain values. Reads nothing of the store but its tables.
"""
