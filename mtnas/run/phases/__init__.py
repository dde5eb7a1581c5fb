"""The phases of a job, in their order: prepare, baselines, search, retrain, report, export.

Enters: a job's ``Context``. Leaves: rows in the journal, and what the next phase needs.
``search`` goes one of two ways, ``search_by_trials`` or ``search_by_supernet``; all train through ``run.packs``.
"""
