"""What jobs found, as rows: trials, routes, reports, data sets, exports, checkpoints.

Enters: values of lease holders. Leaves: records. ``jobs.holding`` writes them under a lease.
"""
