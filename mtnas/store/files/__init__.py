"""Files named by their sha256, and the rows that name them.

Enters: bytes. Leaves: digests and paths; a row never points at a missing file.
"""
