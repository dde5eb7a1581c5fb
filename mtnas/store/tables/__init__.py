"""The tables. A change here needs a migration (`migrations/versions`); a test compares the two.

Leaves: tables of SQLAlchemy, for whatever else is in the store.
"""

from mtnas.store.tables.files import ARTIFACTS, CHECKPOINTS, DATASET_FILES, DATASETS, EXPORTS, UPLOADS
from mtnas.store.tables.jobs import EVENTS, JOBS, WORKERS
from mtnas.store.tables.people import AUDIT, TOKENS
from mtnas.store.tables.results import GRAPHS, REPORTS, ROUTES, TEST_READS, TRIALS
from mtnas.store.tables.schema import METADATA

__all__ = [
    "ARTIFACTS",
    "AUDIT",
    "CHECKPOINTS",
    "DATASETS",
    "DATASET_FILES",
    "EVENTS",
    "EXPORTS",
    "GRAPHS",
    "JOBS",
    "METADATA",
    "REPORTS",
    "ROUTES",
    "TEST_READS",
    "TOKENS",
    "TRIALS",
    "UPLOADS",
    "WORKERS",
]
