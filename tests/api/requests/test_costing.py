"""The estimate of a plan: a search over shared weights never costs more candidate-steps than it says."""

from __future__ import annotations

from typing import Any

import pytest

from api.requests.costing import estimate
from api.requests.data_checks import KnownData
from mtnas.data import DataAccess
from mtnas.data.data_spec import CatalogueSource
from mtnas.data.profiles.profile import Profile
from mtnas.run import MemoryJournal
from tests.lean import NO_MODELS
from tests.run.jobs import PLANTED, SMALL, TRAINING, run, spec_of

SEARCHES: dict[str, dict[str, Any]] = {
    "reinforce": {**SMALL["search"], "searches": 2, "prior": 1.0},
    "one_shot": {"kind": "one_shot", "evaluations": 8, "population": 4, "tournament": 2},
    "darts": {"kind": "darts", "epochs": 2, "vary": {"lr": [0.01, 0.1]}},
}


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> DataAccess:
    return DataAccess(cache=tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("kind", SEARCHES)
def test_the_estimate_holds_the_charge_of_the_search(kind: str, access: DataAccess) -> None:
    protocol = {"level": "quick", "baselines": [], "seeds": 1, "finalists": 1}
    spec = spec_of(search=SEARCHES[kind], protocol=protocol, budget={"trials": 8})
    assert isinstance(spec.data.source, CatalogueSource)
    profile = Profile(digest="", num_rows=PLANTED["rows"], columns=(), inferred={}, left_out={})
    found = estimate(spec, KnownData(source=spec.data.source, profile=profile, warnings=()))
    trainings, a_training = found["trainings"], TRAINING["epochs"] * (PLANTED["rows"] // 64 + 1)
    others = sum(count for phase, count in trainings.items() if phase != "search") * a_training
    charged = run(spec, MemoryJournal(), access)["search"]["candidate_steps"]
    assert charged <= found["candidate_steps_at_most"] - others <= 4 * charged


@pytest.mark.parametrize("kind", ["darts", "evolution"])
def test_the_estimate_holds_independent_searches_and_random_ones_beside_them(kind: str, access: DataAccess) -> None:
    protocol = {"level": "headline", "baselines": [], "seeds": 2, "finalists": 1}
    models: dict[str, Any] = {**NO_MODELS}
    search = {"kind": kind} | ({"epochs": 1} if kind == "darts" else {"generation": 2})
    spec = spec_of(search=search, protocol=protocol | models, budget={"trials": 4})
    assert isinstance(spec.data.source, CatalogueSource)
    profile = Profile(digest="", num_rows=PLANTED["rows"], columns=(), inferred={}, left_out={})
    found = estimate(spec, KnownData(source=spec.data.source, profile=profile, warnings=()))
    once = estimate(
        spec_of(search=search, protocol=protocol | models | {"searches": 1}, budget={"trials": 4}),
        KnownData(source=spec.data.source, profile=profile, warnings=()),
    )
    for phase in ("search", "random_search"):
        assert found["trainings"][phase] == 2 * once["trainings"][phase] > 0
    journal = MemoryJournal()
    report = run(spec, journal, access)
    trained = [trial for trial in journal.trials() if trial.notes.get("weights") != "inherited"]
    of_phase = {name: [t for t in trained if t.phase == name] for name in ("tune", "retrain")}
    random = [t for t in trained if t.phase == "search" and t.label.startswith("random")]
    assert 0 < len(random) <= found["trainings"]["random_search"]
    assert len(of_phase["tune"]) <= found["trainings"]["tuning"]
    assert 4 < len(of_phase["retrain"]) <= found["trainings"]["retraining"]
    steps = sum(trial.evaluations[0].costs["candidate_steps"] for trial in trained if trial not in random)
    supernets = 2 * report["search"]["candidate_steps"] if kind == "darts" else 0.0
    spent = steps + supernets + sum(trial.evaluations[0].costs["candidate_steps"] for trial in random)
    assert spent <= found["candidate_steps_at_most"]
