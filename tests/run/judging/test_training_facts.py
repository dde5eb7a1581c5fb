"""A training that ends at its best look was perhaps too short, and the report says so."""

from __future__ import annotations

from mtnas.routes import Tower
from mtnas.routes.schemes.by_name import NAMED_ROUTES, Size
from mtnas.run.judging.training_facts import training_facts
from mtnas.training.recipe import Recipe
from mtnas.trials import Candidate, Evaluation, Settings, Trial, TrialState

ROUTE = NAMED_ROUTES["shared_bottom"]([Tower(task="a", reads="", hidden=(), outputs=1)], Size()).route


def trial(best: float, *, steps: float = 40.0) -> Trial:
    costs = {"candidate_steps": steps, "best_step": best}
    return Trial(
        number=0,
        phase="retrain",
        label="mmoe",
        candidate=Candidate(route=ROUTE, settings=Settings()),
        state=TrialState.COMPLETE,
        evaluations=(Evaluation(part="valid", per_task={}, costs=costs),),
    )


def test_entrants_that_end_at_their_best_are_named() -> None:
    found = training_facts(
        Recipe(batch_size=64, epochs=4),
        {"mmoe": [trial(40), trial(40), trial(30)], "ple": [trial(40), trial(20)], "none": []},
    )
    assert found["still_improving"] == ["mmoe"]
    assert found["steps"] == 40
    assert found["best_step"]["ple"] == [40, 20]
    assert "mmoe" in found["warning"]
    assert "found 4" in found["warning"]


def test_nothing_is_said_where_all_were_best_before() -> None:
    found = training_facts(Recipe(), {"mmoe": [trial(39), trial(30)]})
    assert (found["still_improving"], found["warning"]) == ([], None)
