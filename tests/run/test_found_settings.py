"""What a search finds is trained again with the settings it was found with; random search varies the same."""

from __future__ import annotations

from typing import Any

from mtnas.data import DataAccess
from mtnas.run import MemoryJournal
from mtnas.trials import Trial
from tests.lean import NO_MODELS
from tests.run.jobs import SHORT, TRAINING, run, spec_of

HARD_CONCRETE = {"temperature": 0.5, "stretch_low": -0.2, "stretch_high": 1.3, "l0": 0.02}
SNR: dict[str, Any] = {"name": "snr", "options": {"layers": 2, "subnets": 2, "width": 4}}


def of_search(journal: MemoryJournal) -> list[Trial]:
    """Everything that the search found, tuned and trained again."""
    return [t for t in journal.trials() if t.label.startswith(("derived", "sampled", "known:", "screened", "finalist"))]


def test_finalists_are_trained_again_under_the_gates_of_the_search(access: DataAccess) -> None:
    journal = MemoryJournal()
    run(spec_of(space=SNR, search={"kind": "snr", **SHORT, **HARD_CONCRETE}), journal, access)
    found = of_search(journal)
    assert {t.phase for t in found} == {"search", "tune", "retrain"}
    assert all(t.candidate.settings.gate == HARD_CONCRETE for t in found)
    others = [t for t in journal.trials() if t not in found]
    assert all(t.candidate.settings.gate == {} for t in others)


def test_every_finalist_has_the_gates_of_the_variant_that_found_it(access: DataAccess) -> None:
    journal = MemoryJournal()
    run(spec_of(space=SNR, search={"kind": "snr", **SHORT, "vary": {"l0": [0.0, 3.0]}}), journal, access)
    found: dict[str, list[tuple[str, float]]] = {}
    for trial in of_search(journal):
        found.setdefault(trial.route_digest, []).append((trial.phase, trial.candidate.settings.gate["l0"]))
    assert {l0 for pairs in found.values() for _, l0 in pairs} == {0.0, 3.0}
    for pairs in found.values():
        at_search = {l0 for phase, l0 in pairs if phase == "search"}
        assert {l0 for phase, l0 in pairs if phase != "search"} <= at_search


def test_random_search_sets_gates_as_the_search_that_it_is_compared_with(access: DataAccess) -> None:
    """Fixed ones alike, and the values that the search varies are what random search draws from."""
    journal = MemoryJournal()
    protocol = {
        "level": "quick",
        **NO_MODELS,
        "baselines": ["shared_bottom"],
        "seeds": 1,
        "finalists": 1,
        "random_search": True,
    }
    search = {"kind": "snr", **SHORT, "searches": 4, "temperature": 0.5, "vary": {"l0": [0.01, 0.02]}}
    run(spec_of(space=SNR, search=search, protocol=protocol), journal, access)
    random = [t for t in journal.trials() if t.label == "random"]
    assert {t.phase for t in random} == {"search", "tune", "retrain"}
    assert {t.candidate.settings.gate["temperature"] for t in random} == {0.5}
    assert {t.candidate.settings.gate["l0"] for t in random if t.phase == "search"} == {0.01, 0.02}


def test_gates_that_the_space_does_not_have_leave_no_trace_in_its_trials(access: DataAccess) -> None:
    journal = MemoryJournal()
    run(spec_of(search={"kind": "dselect_k", **SHORT, "smooth_step": 0.5}), journal, access)
    assert all(t.candidate.settings.gate == {} for t in journal.trials())


def test_diagnostics_look_at_the_gates_as_they_were_trained(access: DataAccess) -> None:
    """Connections that this stretch closes for certain have the value zero there too."""
    journal = MemoryJournal()
    training = TRAINING | {"gate": {"stretch_low": -1e6, "l0": 0.0}}
    search = {"kind": "random", "generation": 4}
    # The largest network wins, whose junctions have several inputs.
    largest = [{"metric": "num_params", "direction": "max"}]
    spec = spec_of(space=SNR, search=search, training=training, objectives=largest, budget={"trials": 8})
    junctions = run(spec, journal, access)["diagnostics"]["gates"]["junctions"]
    assert junctions
    assert {value for junction in junctions.values() for value in junction["values"].values()} == {0.0}
