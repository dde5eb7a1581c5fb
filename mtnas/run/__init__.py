"""Running a job: its phases, the packs they are made of, and what executes packs."""

from mtnas.run.executor import Executor, InProcessExecutor
from mtnas.run.job import run_job
from mtnas.run.journal import Journal, RouteRow
from mtnas.run.memory_journal import MemoryJournal

__all__ = ["Executor", "InProcessExecutor", "Journal", "MemoryJournal", "RouteRow", "run_job"]
