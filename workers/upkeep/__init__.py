"""What keeps jobs and folders in order beside the work: heartbeat, reaper, janitor.

Enters: the store. Leaves: renewed leases, jobs given back to the queue, removed files. One role a file.
"""
