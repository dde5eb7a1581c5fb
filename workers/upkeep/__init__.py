"""What keeps jobs and folders in order beside the work: heartbeat, presence, janitor.

Enters: the store. Leaves: renewed leases, the worker's row, removed files. One role a file.
"""
