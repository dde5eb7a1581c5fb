"""The phase ``ensemble``: who may be a member, what it costs, that nothing is trained for it, and that it resumes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import safetensors.torch
import torch

from mtnas.data import DataAccess, load
from mtnas.ensembles.task_model import KINDS
from mtnas.reports.markdown import as_markdown
from mtnas.run import MemoryJournal
from mtnas.run.task_models import fitted
from mtnas.training.measuring.metrics import auc
from tests.run.jobs import PLANTED, SAMPLED, SMALL, run, spec_of, timeless

DATA = {"source": {"kind": "catalogue", "name": "planted", "options": PLANTED | {"rows": 1500}}}
MODELS = SMALL["protocol"] | {"boosted_trees": True, "linear_models": True}
Job = tuple[Mapping[str, Any], MemoryJournal]


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    """Two settings a task instead of six: how trees are tuned is told elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitted, "LEAST_SETTINGS", 1)
        yield


def job(access: DataAccess, **changes: Any) -> Job:
    journal = MemoryJournal()
    return run(spec_of(base=SAMPLED, **({"data": DATA, "export": {"top": 0}} | changes)), journal, access), journal


@pytest.fixture(scope="module")
def done(access: DataAccess) -> Job:
    return job(access, protocol=MODELS)


def row(report: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(row for row in report["rows"] if row["label"] == label)
    return found


def test_it_is_an_entrant_of_the_report_and_a_row_of_routes(done: Job) -> None:
    report, journal = done
    answer, network = row(report, "ensemble"), row(report, "finalist-1")
    assert answer.keys() == network.keys()
    stored = journal.routes[answer["route_digest"]]
    assert (stored.role, stored.label) == ("ensemble", "ensemble")
    assert stored.values["valid_score"] == answer["valid_score"]
    assert stored.details["members"] == report["ensemble"]["members"]
    json.dumps(report, allow_nan=False)


def test_on_the_rows_that_decide_it_is_above_most_of_its_members(done: Job) -> None:
    """Not above all: a lucky one may be better on just these rows, which draws of them average away."""
    report, _ = done
    members = {member["label"] for member in report["ensemble"]["members"]}
    scores = sorted(row["valid_score"] for row in report["rows"] if row["label"] in members)
    assert row(report, "ensemble")["valid_score"] > scores[len(scores) // 2]


def test_its_figures_are_those_of_the_mean_of_its_members_probabilities(done: Job, access: DataAccess) -> None:
    """From the kept outputs, by hand."""
    report, journal = done
    spec = spec_of(base=SAMPLED, data=DATA)
    data = load(spec.data, [task.to_task() for task in spec.tasks], access=access)
    for place, task in enumerate(spec.tasks):
        chances: Any = 0.0
        for member in report["ensemble"]["members"]:
            if task.name not in member["weights"]:
                continue
            fitted = member["trial"] is None
            name = f"outputs/{member['label']}/{task.name}" if fitted else f"outputs/{member['trial']}"
            outputs = safetensors.torch.load(journal.checkpoint(name) or b"")["test"]
            chances = chances + member["weights"][task.name] * outputs[:, 0 if fitted else place].double().sigmoid()
        labels = torch.from_numpy(data.labels[data.parts["test"], place])
        expected = float(auc(chances[None], labels)[0])
        assert row(report, "ensemble")["per_task"][task.name]["test"]["mean"] == pytest.approx(expected)


def test_members_are_counted_together(done: Job) -> None:
    report, journal = done
    costs = {row["label"]: (row["num_params"], row["macs"]) for row in report["rows"]}
    params = macs = 0
    for member in report["ensemble"]["members"]:
        if member["trial"] is not None:
            params, macs = params + costs[member["label"]][0], macs + costs[member["label"]][1]
            continue
        for task in member["weights"]:
            kept = journal.checkpoint(f"model/{member['label']}/{task}") or b""
            model = KINDS[member["label"]].from_bytes(kept)
            params, macs = params + model.num_params, macs + model.operations
    assert (row(report, "ensemble")["num_params"], row(report, "ensemble")["macs"]) == (params, macs)


def test_steps_add_up_to_what_it_brought(done: Job) -> None:
    report, _ = done
    steps = {name: step["mean_gain"] for name, step in report["ensemble"]["brought"].items()}
    assert steps["ensemble"] == pytest.approx(steps["averaging"] + steps["selection"] + steps["task_models"])
    stages = report["ensemble"]["stages"]
    assert stages["answer"]["mean_gain"] == pytest.approx(row(report, "ensemble")["mean_gain"]["mean"])
    assert stages["route"]["mean_gain"] == pytest.approx(row(report, report["best"]["label"])["mean_gain"]["mean"])


def test_rivals_have_members_too(done: Job) -> None:
    """What averaging brings is no merit of the search: an ensemble without it, and every entrant's seeds together."""
    report, _ = done
    rivals = {rival["label"]: rival for rival in report["ensemble"]["rivals"]}
    assert set(rivals) == {"unsearched", "single_task", "shared_bottom", "finalist-1", "finalist-2"}
    assert [rivals[label]["members"] for label in ("single_task", "finalist-1")] == [2, 2]
    assert (rivals["unsearched"]["candidates"], report["ensemble"]["candidates"]) == (2 * 2 + 2, 2 * 4 + 2)
    step = report["ensemble"]["brought"]["search"]["mean_gain"]
    ours = row(report, "ensemble")["mean_gain"]["mean"]
    assert step == pytest.approx(ours - rivals["unsearched"]["mean_gain"]["mean"])
    seeds = report["ensemble"]["stages"]["seeds"]["mean_gain"]
    assert rivals[report["best"]["label"]]["mean_gain"]["mean"] == pytest.approx(seeds)
    assert f"| unsearched | {rivals['unsearched']['members']} |" in as_markdown(report, title="small")


def test_nothing_is_trained_for_it(done: Job, access: DataAccess) -> None:
    _, journal = done
    _, without = job(access, protocol=MODELS, export={"top": 0} | {"ensemble": "none"})
    assert [t.number for t in journal.trials()] == [t.number for t in without.trials()]
    assert [t.values for t in journal.trials()] == [t.values for t in without.trials()]


class Dying(MemoryJournal):
    """A journal whose job dies once, before or after it has written the choice down."""

    def __init__(self, *, written: bool) -> None:
        super().__init__()
        self.written, self.dead = written, False

    def save_checkpoint(self, name: str, data: bytes) -> None:
        if name == "chosen_ensemble" and not self.dead:
            self.dead = True
            if self.written:
                super().save_checkpoint(name, data)
            raise KeyboardInterrupt
        super().save_checkpoint(name, data)


@pytest.mark.parametrize("written", [False, True])
def test_a_second_attempt_gives_the_same_answer(written: bool, done: Job, access: DataAccess) -> None:
    spec, journal = spec_of(base=SAMPLED, data=DATA, protocol=MODELS, export={"top": 0}), Dying(written=written)
    with pytest.raises(KeyboardInterrupt):
        run(spec, journal, access)
    assert timeless(run(spec, journal, access)) == timeless(done[0])
    assert timeless(run(spec, done[1], access)) == timeless(done[0]), "nor does a third change anything"


def test_only_members_and_finalists_keep_their_weights(done: Job) -> None:
    report, journal = done
    members = {member["trial"] for member in report["ensemble"]["members"]}
    for trial in journal.trials():
        kept = trial.number in members or (trial.phase == "retrain" and trial.label.startswith("finalist"))
        assert (journal.checkpoint(f"weights/{trial.number}") is not None) == kept


def test_none_keeps_one_network(access: DataAccess) -> None:
    report, journal = job(access, export={"top": 0} | {"ensemble": "none"})
    assert report["ensemble"] is None
    assert "ensemble" not in {row["label"] for row in report["rows"]}
    assert not [name for name in journal._checkpoints if name.startswith("outputs/")]


def test_models_of_one_task_can_be_left_out(access: DataAccess) -> None:
    report, _ = job(access, protocol=MODELS, export={"top": 0} | {"tree_members": False})
    assert all(member["trial"] is not None for member in report["ensemble"]["members"])


def test_one_set_of_weights_for_the_job(access: DataAccess) -> None:
    report, _ = job(access, export={"top": 0} | {"ensemble_for": "job"})
    for member in report["ensemble"]["members"]:
        assert len(member["weights"]) == 2
        assert len(set(member["weights"].values())) == 1


def test_limits_bound_the_members(access: DataAccess) -> None:
    """Baselines of any size are trained, and those above the limit are no members."""
    largest = 130  # single-task networks have 144 at least
    report, journal = job(access, constraints={"max_params": largest})
    assert all(
        row["num_params"] <= largest
        for row in report["rows"]
        if row["label"] in {member["label"] for member in report["ensemble"]["members"]}
    )
    above = {row["label"] for row in report["rows"] if row["label"] != "ensemble" and row["num_params"] > largest}
    assert above, "some baseline is too large"
    outputs = {int(name.split("/")[1]) for name in journal._checkpoints if name.startswith("outputs/")}
    assert not {trial.label for trial in journal.trials() if trial.number in outputs} & above


def test_most_members_bounds_the_members(access: DataAccess) -> None:
    report, _ = job(access, export={"top": 0} | {"most_members": 1})
    for task in ("task_0", "task_1"):
        assert [m["weights"][task] for m in report["ensemble"]["members"] if task in m["weights"]] == [1.0]
