"""Who looks into the store: whose rows they may see, and whose the rows are that they make."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, exists

from mtnas.store.quotas import Quota
from mtnas.store.tables import JOBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody who uses the store.

    Every reading and writing part of a store has one, so that whoever forgets to ask whose a row is cannot show it.

    Attributes:
        owner: whose what they make is.
        sees_all: whether they see what others have made.
        quota: how much they may have.
    """

    owner: str = "local"
    sees_all: bool = True
    quota: Quota | None = None

    def narrowed(self, owner: str | None) -> str | None:
        """The owner to look for, ``None`` for whoever; nobody may ask for somebody else's."""
        return owner if self.sees_all else self.owner

    def making(self, owner: str | None) -> str:
        """The owner of something new."""
        return self.owner if owner is None or not self.sees_all else owner

    def of_job(self, job_id: Column[str] | str, owner: str | None = None) -> ColumnElement[bool]:
        """A condition on rows that belong to a job: it is one that they see, and that was not put aside.

        Args:
            job_id: the rows' column, or the job where it is known: then the condition is looked at once.
            owner: whose it has to be.
        """
        seen = self.narrowed(owner)
        found = exists().where(JOBS.c.id == job_id, JOBS.c.deleted_at.is_(None))
        return found if seen is None else found.where(JOBS.c.owner == seen)


ANYBODY = Viewer()
"""Workers, administrators, and everybody where no tokens are asked for."""
