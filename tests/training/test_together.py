"""Small towers, alignment, reweighting and balancers inside a pack's training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mtnas.routes import NAMED_ROUTES, Tower, task_path
from mtnas.routes.building.layered import tower_junction
from mtnas.routes.schemes.by_name import Size
from mtnas.supernets import Selection, Supernet, freeze
from mtnas.training.recipe import Recipe
from mtnas.training.step.components import components, shared_mask
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.reweighting import label_directions, reweighted, svd_task_weights
from mtnas.training_options import (
    AlignmentSpec,
    AuxiliarySpec,
    EqualBalancer,
    GdodBalancer,
    GradNormBalancer,
    StaticBalancer,
    SvdReweighting,
    UpGradBalancer,
)
from mtnas.trials import Settings
from tests.training.together import INPUTS, TASKS, final_weights, network, pack, rows


def recipe(**changes: object) -> Recipe:
    return Recipe(batch_size=32, epochs=2, precision="float64", **changes)  # type: ignore[arg-type]


SETTINGS = (Settings(lr=0.01, seed=1, dropout=0.2), Settings(lr=0.02, seed=2, data_seed=1))


def are_equal(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return all(torch.allclose(tensor, two[name], rtol=1e-9, atol=1e-12) for name, tensor in one.items())


@pytest.mark.parametrize("shape", ["linear", "pooled", "bottleneck"])
def test_gamma_zero_changes_nothing_and_more_does(shape: str) -> None:
    plain = final_weights(pack(SETTINGS, recipe()))
    auxiliary = AuxiliarySpec(gamma=0.5, shape=shape, size=2)
    mixed = [Settings(lr=0.01, seed=1, dropout=0.2, gamma=0.0), SETTINGS[1]]
    found = final_weights(pack(mixed, recipe(auxiliary=auxiliary)))
    assert are_equal({n: t[:1] for n, t in found.items()}, {n: t[:1] for n, t in plain.items()})
    assert not are_equal({n: t[1:] for n, t in found.items()}, {n: t[1:] for n, t in plain.items()})


def test_every_setting_of_the_small_towers_changes_something() -> None:
    options = [
        AuxiliarySpec(gamma=0.5),
        AuxiliarySpec(gamma=0.1),
        AuxiliarySpec(gamma=0.5, shape="pooled", size=2),
        AuxiliarySpec(gamma=0.5, shape="pooled", size=4),
        AuxiliarySpec(gamma=0.5, shape="bottleneck", size=2),
        AuxiliarySpec(gamma=0.5, shape="bottleneck", size=1),
    ]
    found = [final_weights(pack(SETTINGS[:1], recipe(auxiliary=option))) for option in options]
    for i, one in enumerate(found):
        assert not any(are_equal(one, other) for other in found[i + 1 :])


def test_small_towers_are_gone_when_a_route_is_frozen() -> None:
    plain, helped = pack(SETTINGS, recipe()), pack(SETTINGS, recipe(auxiliary=AuxiliarySpec()))
    names = [freeze(trainer.net, network().route).state_dict().keys() for trainer in (plain, helped)]
    assert names[0] == names[1]


def test_alignment_at_the_identity_changes_nothing() -> None:
    plain = pack(SETTINGS, recipe())
    aligned = pack(SETTINGS, recipe(alignment=AlignmentSpec(share=0.01)))
    last = len(range(aligned.total_steps)) - 1
    for trainer in (plain, aligned):
        trainer._noise.at_step(0)
    batch = next(plain._stream.epoch(0))
    for one, two in zip(
        plain.net(batch, plain.selection, plain._noise),
        aligned.net(batch, aligned.selection, aligned._noise),
        strict=True,
    ):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)
    for trainer in (plain, aligned):
        for batch in [b for epoch in range(2) for b in trainer._stream.epoch(epoch)][:last]:
            trainer._train_step(batch)
            trainer._step += 1
    found = dict(aligned.net.named_parameters())
    identity = torch.eye(7, dtype=torch.float64).expand_as(found["alignment.matrices"])
    assert torch.equal(found.pop("alignment.matrices"), identity)
    assert are_equal(dict(plain.net.named_parameters()), found)


def test_second_stage_trains_matrices_and_towers_alone() -> None:
    trainer = pack(SETTINGS, recipe(alignment=AlignmentSpec(share=0.5)))
    before = {}
    for step, batch in enumerate(b for epoch in range(2) for b in trainer._stream.epoch(epoch)):
        if step == trainer.total_steps // 2:
            before = {name: tensor.detach().clone() for name, tensor in trainer.net.named_parameters()}
        trainer._train_step(batch)
        trainer._step += 1
    for name, tensor in trainer.net.named_parameters():
        trained = name.startswith(("alignment", "tower_groups"))
        assert torch.equal(tensor, before[name]) is not trained, name


def test_share_decides_when_alignment_begins() -> None:
    found = [final_weights(pack(SETTINGS[:1], recipe(alignment=AlignmentSpec(share=s)))) for s in (0.3, 0.6)]
    assert not are_equal(found[0], found[1])


def test_a_frozen_aligned_net_equals_the_pack() -> None:
    trainer = pack(SETTINGS, recipe(alignment=AlignmentSpec()))
    final_weights(trainer)
    batch = next(trainer._stream.epoch(0))
    whole = trainer.net(batch, trainer.selection)
    route = network().route
    frozen = freeze(trainer.net, route, candidate=0)
    selection = Selection.from_routes(frozen.graph, [[route]], dtype=torch.float64)
    one = next(rows_for_one(trainer))
    for t, out in enumerate(frozen(one, selection)):
        torch.testing.assert_close(out[0], whole[t][0], rtol=1e-10, atol=1e-12)


def rows_for_one(trainer):  # type: ignore[no-untyped-def]
    from mtnas.training.feeding.batches import BatchStream

    yield from BatchStream(trainer.data, parts=("train",), batch_size=32, data_seeds=[0]).epoch(0)


def test_static_weights_equal_task_weights() -> None:
    by_balancer = final_weights(pack(SETTINGS, recipe(balancer=StaticBalancer(weights={"spent": 3.0}))))
    heavier = [
        Settings(lr=s.lr, seed=s.seed, data_seed=s.data_seed, dropout=s.dropout, task_weights={"spent": 3.0})
        for s in SETTINGS
    ]
    by_settings = final_weights(pack(heavier, recipe()))
    assert are_equal(by_balancer, by_settings)
    assert not are_equal(by_settings, final_weights(pack(SETTINGS, recipe())))


@pytest.mark.parametrize("balancer", [GdodBalancer(), GradNormBalancer(), UpGradBalancer()])
def test_gradient_methods_leave_the_towers_gradients_alone(balancer: object) -> None:
    plain, other = (pack(SETTINGS, recipe(balancer=b)) for b in (EqualBalancer(), balancer))
    batch = next(plain._stream.epoch(0))
    for trainer in (plain, other):
        for step in (0, 1):  # GradNorm begins with weights of one
            trainer._noise.at_step(step)
            losses = trainer._objective.losses(batch, trainer.selection, trainer._noise)
            trainer._objective.backward(trainer._flat, losses, step=step)
    shared = shared_mask(plain.net, plain._flat, [network().route] * 2)
    torch.testing.assert_close(plain._flat.grads[~shared], other._flat.grads[~shared], rtol=1e-9, atol=1e-14)
    assert not torch.allclose(plain._flat.grads[shared], other._flat.grads[shared])


@pytest.mark.parametrize("balancer", [EqualBalancer(), GdodBalancer()])
def test_a_penalty_adds_its_own_gradient_whatever_the_balancer(balancer: object) -> None:
    trainer = pack(SETTINGS, recipe(balancer=balancer))
    batch = next(trainer._stream.epoch(0))
    found = []
    for weight in (0.0, 1.0):
        trainer._noise.at_step(0)
        losses = trainer._objective.losses(batch, trainer.selection, trainer._noise)
        penalty = weight * (losses.sum() + sum(p.square().sum() for p in trainer._flat.parameters))
        trainer._objective.backward(trainer._flat, losses, step=0, penalty=penalty)
        found.append(trainer._flat.grads.clone())
    plain = pack(SETTINGS, recipe())
    plain._noise.at_step(0)
    plain._objective.backward(plain._flat, plain._objective.losses(batch, plain.selection, plain._noise), step=0)
    expected = plain._flat.grads + 2 * plain._flat.weights
    torch.testing.assert_close(found[1] - found[0], expected, rtol=1e-9, atol=1e-12)


def test_shared_elements_are_those_of_nodes_with_several_users() -> None:
    trainer = pack(SETTINGS, recipe())
    route, net = network().route, trainer.net
    paths = {task.name: task_path(net.graph, route, task.name) for task in TASKS}
    parts = components(net, trainer._flat)
    covered = sum(end - begin for part in parts for begin, end in part.ranges)
    assert covered == trainer._flat.num_params
    users = {(part.kind, part.name): len(part.users(net.graph.tasks, paths)) for part in parts}
    assert users["encoder", "x"] == users["slot", "expert.0"] == 3
    assert users["task", "spent"] == users["junction", tower_junction("spent")] == 1
    mask = shared_mask(net, trainer._flat, [route] * 2)
    wanted = sum(e - b for part in parts if users[part.kind, part.name] > 1 for b, e in part.ranges)
    assert mask.sum(1).tolist() == [wanted, wanted]


def test_one_diverged_candidate_leaves_the_others_alone() -> None:
    wild = Settings(lr=1e300, seed=3)
    for balancer in (GdodBalancer(), UpGradBalancer()):
        alone = final_weights(pack(SETTINGS[:1], recipe(balancer=balancer)))
        both = final_weights(pack([SETTINGS[0], wild], recipe(balancer=balancer)))
        assert are_equal(alone, {name: tensor[:1] for name, tensor in both.items()})


def test_a_resumed_run_ends_with_the_same_weights() -> None:
    for options in (recipe(balancer=GradNormBalancer()), recipe(auxiliary=AuxiliarySpec(), alignment=AlignmentSpec())):
        whole = pack(SETTINGS, options)
        looks = whole.run()
        next(looks)
        state = whole.state()
        resumed = pack(SETTINGS, options)
        resumed.load_state(state)
        for _ in looks:
            pass
        assert are_equal(dict(whole.net.named_parameters()), final_weights(resumed))


def test_svd_weights_are_projections_on_the_leading_directions() -> None:
    directions = torch.tensor([[3.0, 3.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(svd_task_weights(directions, rank=1), directions.new_tensor([3.0, 3.0, 0.0]))
    torch.testing.assert_close(svd_task_weights(directions, rank=2), directions.new_tensor([3.0, 3.0, 1.0]))


def test_label_directions_are_correlations_with_standardised_columns() -> None:
    data = rows()
    chosen = data.parts["train"].numpy()
    found = label_directions(data, TASKS, ("train",))
    label = data.labels[chosen, 1].numpy()
    seen = ~np.isnan(label)
    standard = (label - label[seen].mean()) / label[seen].std()
    column = data.numeric[chosen, 1].numpy()
    column = (column - column.mean()) / column.std()
    assert found.shape == (4 + 5, 3)
    assert float(found[1, 1]) == pytest.approx(float((standard * column)[seen].sum() / seen.sum()))
    category = (data.categorical[chosen, 0].numpy() == 2).astype(float)
    category = (category - category.mean()) / category.std()
    assert float(found[4 + 2, 1]) == pytest.approx(float((standard * category)[seen].sum() / seen.sum()))


def test_a_sample_gives_about_the_weights_of_all_rows() -> None:
    data = rows(8000)
    whole = reweighted(data, TASKS, ("train",), SvdReweighting())
    sampled = reweighted(data, TASKS, ("train",), SvdReweighting(rows=2000))
    assert float(whole.mean()) == pytest.approx(1.0)
    assert not torch.equal(whole, sampled)
    torch.testing.assert_close(whole, sampled, rtol=0.1, atol=0.05)


def test_rank_and_reweighting_change_training() -> None:
    found = [
        final_weights(pack(SETTINGS, recipe(reweighting=option)))
        for option in (None, SvdReweighting(rank=1), SvdReweighting(rank=3))
    ]
    assert not any(are_equal(one, two) for one, two in ((found[0], found[1]), (found[1], found[2])))


def test_a_tasks_own_encoder_is_not_shared() -> None:
    towers = [Tower(task=name, reads="", hidden=(4,)) for name in ("a", "b")]
    named = NAMED_ROUTES["stem"](towers, Size(layers=1, experts=3, width=6))
    net = Supernet(named.graph, INPUTS, [0])
    paths = {task: task_path(named.graph, named.route, task) for task in ("a", "b")}
    parts = [part for part in components(net, FlatParameters(net)) if part.kind == "encoder"]
    assert {part.name for part in parts} == {encoder.name for encoder in named.graph.encoders}
    for part in parts:
        assert part.users(("a", "b"), paths) == tuple(t for t in ("a", "b") if part.name in paths[t].encoders)
