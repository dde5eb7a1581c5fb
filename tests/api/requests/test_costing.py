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
