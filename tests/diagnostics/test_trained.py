"""Diagnostics of a trained candidate: gates, conflicts, affinity."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from mtnas.diagnostics import affinity, conflicts, gate_use
from mtnas.errors import TrainingError
from mtnas.tasks import Task, TaskKind
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings
from tests.training.recipes import float64
from tests.training.together import TASKS, network, pack

ROUTE = network().route


def trained() -> PackTrainer:
    trainer = pack([Settings(lr=0.01, seed=1)], float64(epochs=3))
    for _ in trainer.run():
        pass
    return trainer


def look(trainer: PackTrainer, **changes: object):  # type: ignore[no-untyped-def]
    found = conflicts(
        trainer.net, trainer.selection, ROUTE, trainer.data, TASKS, part="search", batch_size=8, **changes
    )
    json.dumps(found, allow_nan=False)
    return found


def test_gates_of_a_fresh_net_are_nearly_even() -> None:
    trainer = pack([Settings(seed=1)], float64())
    found = gate_use(trainer.net, trainer.selection, ROUTE, trainer.data, "valid")
    json.dumps(found, allow_nan=False)
    assert len(found["junctions"]) == len(TASKS)
    for facts in found["junctions"].values():
        assert sum(facts["values"].values()) == pytest.approx(1)
        assert 0.5 < facts["entropy"] <= 1 + 1e-12
        assert facts["underused"] == []
    assert found["unread_slots"] == []


def test_a_source_that_all_gates_shut_out_is_named() -> None:
    trainer = pack([Settings(seed=1)], float64())
    shut = [p for n, p in trainer.net.named_parameters() if n.startswith("gates.") and "bias" in n and p.shape[-1] == 3]
    assert shut
    with torch.no_grad():
        for bias in shut:
            bias[..., 1] = -50.0
    found = gate_use(trainer.net, trainer.selection, ROUTE, trainer.data, "valid")
    assert found["unread_slots"] == ["expert.1"]
    assert all(facts["underused"] == ["expert.1"] for facts in found["junctions"].values())


def test_slots_that_never_fire_are_named() -> None:
    trainer = pack([Settings(seed=1)], float64())
    with torch.no_grad():
        for name, parameter in trainer.net.named_parameters():
            if name.startswith("banks.") and ("shift" in name):
                parameter[:, 2] = -100.0
    found = gate_use(trainer.net, trainer.selection, ROUTE, trainer.data, "valid")
    assert found["silent_slots"] == ["expert.2"]


def test_looking_changes_nothing() -> None:
    trainer = trained()
    before = {name: tensor.clone() for name, tensor in trainer.net.state_dict().items()}
    look(trainer)
    affinity(trainer.net, trainer.selection, ROUTE, trainer.data, TASKS, part="search")
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.net.state_dict().items())


def test_conflict_rates_are_shares_of_pairs_worst_first() -> None:
    found = look(trained())
    rates = [row["rate"] for row in found["components"]]
    assert rates == sorted(rates, reverse=True)
    assert all(0 <= rate <= 1 for rate in rates)
    assert any(rates)
    assert 0 <= found["common_share"] <= 1
    assert {row["name"] for row in found["components"]} == {"x", "expert.0", "expert.1", "expert.2"}


def test_fewer_gradients_conflict_severely() -> None:
    trainer = trained()
    plain, severe = (sum(row["rate"] for row in look(trainer, severe=s)["components"]) for s in (0.0, -0.5))
    assert severe < plain


def test_a_task_and_its_opposite_always_conflict() -> None:
    tasks = tuple(Task(name=name, kind=TaskKind.BINARY, label=name) for name in ("a", "not_a"))
    trainer = pack([Settings(lr=0.01, seed=1)], float64(), tasks=tasks)
    _make_towers_alike(trainer)
    data, label = trainer.data, trainer.data.labels[:, :1]
    opposed = replace(data, labels=torch.cat([label, 1 - label], dim=1))
    net, route = trainer.net, network(tasks).route
    found = conflicts(net, trainer.selection, route, opposed, tasks, part="search", batch_size=16)
    assert all(row["rate"] == 1.0 for row in found["components"] if row["kind"] == "slot")


def _make_towers_alike(trainer: PackTrainer) -> None:
    """Zero outputs at the start, one tower for both tasks, and gates alike: then the gradients are opposite."""
    with torch.no_grad():
        for name, parameter in trainer.net.named_parameters():
            if name.startswith(("tower_groups", "gates")):
                parameter[:, 1] = parameter[:, 0]
            if name.startswith("tower_groups") and parameter.shape[-1] == 1:
                parameter *= 1e-6


def test_affinity_of_a_task_with_itself_is_positive() -> None:
    matrix = affinity(
        *(lambda t: (t.net, t.selection, ROUTE, t.data, TASKS))(trained()), part="search", lr=1e-3, batch_size=40
    )
    assert all(matrix[i][i] > 0 for i in range(len(TASKS)))
    assert any(matrix[i][j] < matrix[j][j] for i in range(3) for j in range(3) if i != j)


def test_affinity_is_the_first_order_change_for_small_steps() -> None:
    trainer = trained()
    arguments = (trainer.net, trainer.selection, ROUTE, trainer.data, TASKS)
    small, smaller = (affinity(*arguments, part="search", lr=lr, batch_size=40) for lr in (1e-5, 1e-6))
    for one, two in zip(small, smaller, strict=True):
        assert one == pytest.approx([10 * value for value in two], rel=1e-2, abs=1e-9)


def test_packs_of_several_candidates_are_refused() -> None:
    several = pack([Settings(seed=1), Settings(seed=2)], float64())
    with pytest.raises(TrainingError, match="one candidate"):
        affinity(several.net, several.selection, ROUTE, several.data, TASKS, part="search")


def test_a_task_without_labels_has_no_affinity_and_no_conflicts() -> None:
    trainer = trained()
    masked = trainer.data.labels.clone()
    masked[trainer.data.parts["search"], 1] = torch.nan
    data = replace(trainer.data, labels=masked)
    whole, found = (
        affinity(trainer.net, trainer.selection, ROUTE, of, TASKS, part="search", batch_size=16)
        for of in (trainer.data, data)
    )
    json.dumps(found, allow_nan=False)
    for i, row in enumerate(found):
        for j, value in enumerate(row):
            if 1 in (i, j):
                assert value is None
            else:
                assert value == pytest.approx(whole[i][j], rel=1e-9)
    conflicting = conflicts(trainer.net, trainer.selection, ROUTE, data, TASKS, part="search", batch_size=8)
    json.dumps(conflicting, allow_nan=False)
    users = {tuple(row["users"]): row["rate"] for row in conflicting["components"]}
    assert users
    for names, rate in users.items():
        assert (rate is None) == (len(set(names) - {TASKS[1].name}) < 2)


def test_batches_without_a_tasks_labels_do_not_count() -> None:
    trainer = trained()
    rows = trainer.data.parts["search"]
    masked = trainer.data.labels.clone()
    masked[rows[: len(rows) * 3 // 4], 1] = torch.nan  # a few labels: most small batches have none
    data = replace(trainer.data, labels=masked)
    found = affinity(trainer.net, trainer.selection, ROUTE, data, TASKS, part="search", batch_size=4, num_batches=16)
    assert found[0][1] is not None
    assert abs(found[0][1]) < 0.5  # a batch without labels counted as 1


def test_a_task_without_labels_has_no_affinity_and_changes_no_other() -> None:
    trainer = trained()
    masked = replace(trainer.data, labels=_without(trainer.data.labels, task=1))
    whole, found = (
        affinity(trainer.net, trainer.selection, ROUTE, data, TASKS, part="search", batch_size=16)
        for data in (trainer.data, masked)
    )
    assert found[1] == [None] * 3
    assert [row[1] for row in found] == [None] * 3
    assert all(found[i][j] == pytest.approx(whole[i][j], abs=1e-9) for i in (0, 2) for j in (0, 2))


def test_conflicts_count_no_pair_with_a_task_without_labels() -> None:
    trainer = trained()
    labels = _without(_without(trainer.data.labels, task=0), task=1)
    masked = replace(trainer.data, labels=labels)
    found = conflicts(trainer.net, trainer.selection, ROUTE, masked, TASKS, part="search", batch_size=8)
    json.dumps(found, allow_nan=False)
    assert found["components"]
    assert all(row["rate"] is None for row in found["components"])
    assert any(row["rate"] is not None for row in look(trainer)["components"])


def _without(labels_NT: torch.Tensor, *, task: int) -> torch.Tensor:
    masked_NT = labels_NT.clone()
    masked_NT[:, task] = torch.nan
    return masked_NT
