"""Routes are told of when their trials end, once each by its best trial, whatever becomes of the job."""

from __future__ import annotations

import pytest

from mtnas.data import DataAccess
from mtnas.errors import LeaseLostError
from mtnas.run import MemoryJournal
from mtnas.trials import TrialState
from tests.run.interrupting import InterruptedJournal
from tests.run.jobs import SAMPLED, run, spec_of


def test_a_job_that_ends_in_its_search_leaves_the_routes_of_the_trials_that_ended(access: DataAccess) -> None:
    spec, whole = spec_of(base=SAMPLED), InterruptedJournal(MemoryJournal())
    run(spec, whole, access)
    searching = [at for at, name in enumerate(whole.writes) if name == "add_routes"]
    assert len(searching) > 2, "a write for every generation, and one for the answer"
    for at in (searching[1], searching[1] - 1):
        kept = MemoryJournal()
        with pytest.raises(LeaseLostError):
            run(spec, InterruptedJournal(kept, at=at), access)
        ended = {t.route_digest for t in kept.trials() if t.phase == "search" and t.state is TrialState.COMPLETE}
        assert kept.routes, "the first generation's"
        assert set(kept.routes) <= ended
        run(spec, kept, access)
        assert ended <= set(kept.routes), "those whose write was lost are told of by the next attempt"


def test_a_route_is_told_of_by_its_best_trial(access: DataAccess) -> None:
    journal = MemoryJournal()
    run(spec_of(base=SAMPLED), journal, access)
    searched = [t for t in journal.trials() if t.phase == "search" and t.state is TrialState.COMPLETE]
    for digest, row in journal.routes.items():
        tried = [t.values["mean_gain"] for t in searched if t.route_digest == digest]
        if tried:
            assert row.values["search.mean_gain"] == max(tried)
