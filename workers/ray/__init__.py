"""Packs on a Ray cluster: the cluster, its actors, executors on plain actors and on Tune.

Enters: pack tasks. Leaves: pack events. No file here writes to the store: actors never see the database.
"""
