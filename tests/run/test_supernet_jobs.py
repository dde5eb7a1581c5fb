"""Jobs with every search over shared weights, from specification to report."""

from __future__ import annotations

from typing import Any

import pytest

from mtnas.data import DataAccess
from mtnas.run import MemoryJournal
from mtnas.trials import Trial, TrialState
from tests.run.jobs import EVALUATION, SEARCH_ROWS, SHORT, SMALL, STEPS, YARDSTICK, run, spec_of

SPACES: dict[str, dict[str, Any]] = {
    "one_shot": {"name": "mtnas", "options": {"layers": 2, "subnets": 2, "width": 4}},
    "darts": {"name": "mtnas", "options": {"layers": 2, "subnets": 2, "width": 4}},
    "gumbel": {"name": "gumbel_matrix", "options": {"layers": 1, "components": 3, "width": 4}},
    "branching": {"name": "joint", "options": {"layers": 1, "components": 3, "width": 4}},
    "adashare": {"name": "adashare", "options": {"layers": 2, "width": 4}},
    "automtl": {"name": "automtl", "options": {"experts": 2, "operations": 1, "hidden": [4], "width": 4}},
    "snr": {"name": "snr", "options": {"layers": 2, "subnets": 2, "width": 4}},
    "dselect_k": {"name": "dselect_k", "options": {"experts": 3, "layers": 1, "width": 4}},
    "sparse_sharing": {"name": "sparse_sharing", "options": {"layers": 1, "groups": 3, "units": 4, "width": 4}},
}
VARIED: dict[str, dict[str, Any]] = {"gumbel": {"vary": {"budget": [0.3, 0.6]}}, "snr": {"vary": {"l0": [0.0, 0.1]}}}
ARCHITECTURE = 2 * SEARCH_ROWS / 64  # the first and the third step of three, each on all of ``search``
BESIDE: dict[str, float] = {"one_shot": 8 * EVALUATION, "sparse_sharing": 0.0}
LOOKS: dict[str, float] = {"snr": 16 * EVALUATION, "dselect_k": 16 * EVALUATION}  # best and fifteen drawn


@pytest.mark.parametrize("kind", SPACES)
def test_a_job_ends_with_finalists_of_its_search(kind: str, access: DataAccess) -> None:
    search = {"kind": kind, **SHORT, "searches": 2, **VARIED.get(kind, {})} | (
        {"evaluations": 8} if kind == "one_shot" else {}
    )
    spec, journal = spec_of(base=SMALL, space=SPACES[kind], search=search), MemoryJournal()
    report = run(spec, journal, access)
    found = [trial for trial in journal.trials() if trial.phase == "search"]
    derived = [trial for trial in found if trial.label == "derived"]
    num_searches = 4 if kind in VARIED else 2
    assert len(derived) == num_searches
    assert {trial.state for trial in found} == {TrialState.COMPLETE}
    assert all(trial.notes["weights"] == "inherited" for trial in found)
    if kind in VARIED:
        ((name, values),) = VARIED[kind]["vary"].items()
        assert [trial.notes["search"][name] for trial in derived] == [value for value in values for _ in range(2)]
    # What an equal-budget random search gets: every pass through every network that was trained.
    networks = num_searches * (len(spec.tasks) if kind == "sparse_sharing" else 1)
    of_each = [len(proposals) for proposals in _by_search(found)]
    passes = STEPS + BESIDE.get(kind, ARCHITECTURE) + LOOKS.get(kind, 0.0) + max(of_each) * EVALUATION
    passes += 0.0 if kind == "sparse_sharing" else YARDSTICK
    assert report["search"]["candidate_steps"] == pytest.approx(networks * passes)
    finalists = [entrant for entrant in report["rows"] if entrant["label"].startswith("finalist")]
    assert finalists
    assert {entrant["route_digest"] for entrant in finalists} <= {trial.route_digest for trial in found}


def _by_search(trials: list[Trial]) -> list[list[Trial]]:
    """Every search's proposals: the derived one comes first."""
    starts = [n for n, trial in enumerate(trials) if trial.label == "derived"]
    return [trials[begin:end] for begin, end in zip(starts, [*starts[1:], len(trials)], strict=True)]
