"""Large tables are trained by the rows that batches read, and everything that holds for small tables holds for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mtnas.routes import InputShape, Tower
from mtnas.routes.building.layered import layered_graph
from mtnas.routes.schemes.by_name import NAMED_ROUTES, Size
from mtnas.supernets import Selection, Supernet, freeze
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.pack_state import join, keep
from mtnas.training.recipe import Recipe
from mtnas.training.searches.shared_supernet import Ground, SharedWeights
from mtnas.training.step.components import components
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.large_tables import LargeTables
from mtnas.training.step.objective import TrainedTogether
from mtnas.training.step.optimiser import PackAdamW
from mtnas.training.trainer import PackTrainer
from mtnas.training_options import AlignmentSpec, AuxiliarySpec, GdodBalancer
from mtnas.trials import Settings
from tests.supernets.batches import RandomFeatures, random_features
from tests.training.problem import (
    INPUTS,
    TASKS,
    Arrays,
    differences,
    of_candidate,
    resident,
    routes_of_one_shape,
    space,
    trained,
    trainer,
    weights_of,
)
from tests.training.spaces import MLP

NEVER = 2**62
TINY = 1e-30  # so that it does not matter where an optimiser adds it
# Elements 60, 60, 6 and 60: two large features of one width beside a small one of the same width, and a large bag.
SHAPE = InputShape(
    vocabularies=(20, 20, 2),
    embedding_widths=(3, 3, 3),
    num_numeric=2,
    bag_vocabularies=(20,),
    bag_widths=(3,),
    large_table=60,
)
ROWS, BAG_LENGTH = 5, 3
SHORT = Recipe(batch_size=32, epochs=2, precision="float64")
OPTIONS = {
    "plain": SHORT,
    "gradients": replace(SHORT, balancer=GdodBalancer()),
    "small towers": replace(SHORT, auxiliary=AuxiliarySpec(gamma=0.3)),
    "alignment": replace(SHORT, alignment=AlignmentSpec(share=0.5)),
}
SETTINGS = (
    Settings(lr=0.01, seed=1, dropout=0.2, data_seed=3),
    Settings(lr=0.003, seed=2, dropout=0.0, weight_decay=0.1),
    Settings(lr=0.02, seed=1, dropout=0.4, task_weights={"spent": 0.5}),
)
MIXED = replace(INPUTS, large_table=10)  # of 15, 6 and 18 elements


@dataclass(kw_only=True)
class Tables:
    """Encoders alone, trained to fit noise."""

    net: Supernet
    large: LargeTables
    flat: FlatParameters
    optimiser: PackAdamW

    def step(self, batch: RandomFeatures, lr_factor: float = 1.0) -> None:
        reading = self.large.read(batch, self.optimiser)
        encoded_KBD = self.net.encoder(batch, reading.large[0])
        self.flat.backward(losses(encoded_KBD).sum())
        self.optimiser.step(lr_factor)
        self.large.write(reading, self.optimiser)

    def weights(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self.net.encoder.named_parameters()}


def losses(encoded_KBD: Tensor) -> Tensor:
    """``[K]``, with a gradient of its own for every element."""
    B, D = encoded_KBD.shape[1:]
    return (encoded_KBD * torch.arange(1.0, D + 1) - torch.arange(B)[:, None]).square().mean((1, 2))


def tables(shape: InputShape = SHAPE, *, seeds: Sequence[int] = (0,), num_rows: int = ROWS, **options: Any) -> Tables:
    graph = layered_graph([Tower(task="t", reads="", hidden=())], subnets=(1,), choices=(MLP,))
    net = Supernet(graph, shape, seeds, dtype=torch.float64)
    large = LargeTables(net, num_rows=num_rows, bag_lengths=[BAG_LENGTH])
    flat = FlatParameters(TrainedTogether(net, None, large))
    given = {"lr": [0.01] * len(seeds), "weight_decay": [0.0] * len(seeds), "eps": TINY} | options
    return Tables(net=net, large=large, flat=flat, optimiser=PackAdamW(flat, **given))


def batches(count: int, *, shape: InputShape = SHAPE, rows: int = ROWS) -> Iterator[RandomFeatures]:
    for seed in range(count):
        yield random_features(shape, rows=rows, seed=seed, bag_length=BAG_LENGTH)


def test_a_candidate_equals_a_plain_loop_over_sparse_adam() -> None:
    found = tables()
    start = found.weights()
    of_feature = [start["tables.1"][0, :20], start["tables.1"][0, 20:], start["tables.0"][0], start["bags.0"][0]]
    plain = [nn.Embedding.from_pretrained(w.clone(), freeze=False, sparse=True) for w in of_feature]
    plain[2].sparse = False
    by_rows = torch.optim.SparseAdam([plain[f].weight for f in (0, 1, 3)], lr=0.01, eps=TINY)
    whole = torch.optim.Adam([plain[2].weight], lr=0.01, eps=TINY)
    for batch in batches(40):
        found.step(batch)
        embedded = [plain[c](batch.categorical[0, :, c]) for c in range(3)]
        bag = (plain[3](batch.bags[0].values[0]) * batch.bags[0].weights[0].unsqueeze(-1)).sum(1)
        loss = losses(torch.cat([*embedded, batch.numeric[0], bag], dim=1)[None]).sum()
        for optimiser in (by_rows, whole):
            optimiser.zero_grad()
        loss.backward()
        by_rows.step()
        whole.step()
    ours = found.weights()
    for mine, theirs in (
        (ours["tables.1"][0], torch.cat([plain[0].weight, plain[1].weight])),
        (ours["tables.0"][0], plain[2].weight),
        (ours["bags.0"][0], plain[3].weight),
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)
    assert not torch.equal(ours["tables.1"], start["tables.1"])


def test_a_table_that_is_read_whole_at_every_step_is_trained_as_a_small_one() -> None:
    shape = replace(SHAPE, vocabularies=(3, 4, 2), bag_vocabularies=(2,))
    whole = [replace(batch, categorical=_all_rows(shape)) for batch in batches(20, shape=shape, rows=12)]
    options = {"seeds": (0, 1), "num_rows": 12, "lr": [0.01, 0.1], "weight_decay": [0.0, 0.3], "eps": 0.1}
    results = []
    for large in (1, NEVER):
        found = tables(replace(shape, large_table=large), max_norm=[0.5, 2.0], **options)
        for step, batch in enumerate(whole):
            found.step(batch, 1.0 / (step + 1))
        results.append(found)
    assert len(results[0].net.encoder.large_tables()) == 2
    assert max(differences(results[0].weights(), results[1].weights())) < 1e-12


def _all_rows(shape: InputShape) -> Tensor:
    return torch.stack([torch.arange(12) % size for size in shape.vocabularies], -1)[None]


def test_rows_that_no_batch_reads_are_the_same_in_every_bit() -> None:
    found = tables(seeds=(0, 1), weight_decay=[0.5, 0.5])
    before, read = found.weights(), set[int]()
    for batch in batches(3):
        found.step(batch)
        read |= set((batch.categorical[0, :, :2] + torch.tensor([0, 20])).flatten().tolist())
    unread = [row for row in range(40) if row not in read]
    after = found.weights()["tables.1"]
    state = {name: tensor for name, tensor in found.large.state().items() if name.startswith("large_tables.0.0")}
    assert len(unread) > 5
    assert torch.equal(after[:, unread], before["tables.1"][:, unread])
    assert (after[:, sorted(read)] != before["tables.1"][:, sorted(read)]).any(dim=2).all()
    for name in ("momentum", "variance"):
        assert not state[f"large_tables.0.0.{name}"][:, unread].any()
        assert state[f"large_tables.0.0.{name}"][:, sorted(read)].any(dim=2).all()


@pytest.mark.parametrize(
    "change",
    [
        {"lr": [0.02]},
        {"betas": (0.8, 0.999)},
        {"betas": (0.9, 0.9)},
        {"eps": 0.1},
        {"weight_decay": [0.1]},
        {"max_norm": [0.01], "eps": 0.1},
    ],
    ids=str,
)
def test_every_setting_of_the_optimiser_reaches_the_rows(change: dict[str, Any]) -> None:
    results = []
    for options in ({"eps": change["eps"]} if "max_norm" in change else {}, change):
        found = tables(**options)
        for batch in batches(4):
            found.step(batch)
        results.append(found.weights()["tables.1"])
    assert (results[0] - results[1]).abs().max() > 1e-6


def test_the_threshold_decides_by_the_elements_of_a_features_table() -> None:
    def large(elements: int) -> tuple[tuple[int, ...], ...]:
        shape = replace(SHAPE, vocabularies=(20, 21, 2), large_table=elements)
        return tuple(table.features for table in shape.large_tables)

    assert large(60) == ((0, 1), ())
    assert large(61) == ((1,),)
    assert large(NEVER) == ()
    assert large(1) == ((0, 1, 2), ())


def test_whether_rows_are_trained_alone_changes_what_is_learned() -> None:
    """Else the tests above would compare a thing with itself."""
    results = []
    for elements in (60, NEVER):
        found = tables(replace(SHAPE, large_table=elements))
        for batch in batches(4):
            found.step(batch)
        results.append(found.net.encoder(next(batches(1))))
    assert (results[0] - results[1]).abs().max() > 1e-3


@pytest.mark.parametrize("recipe", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("large_table", [1, MIXED.large_table])
def test_a_candidate_in_a_pack_equals_the_candidate_alone(recipe: Recipe, large_table: int) -> None:
    graph, routes = routes_of_one_shape(3)
    inputs = replace(INPUTS, large_table=large_table)
    together = trainer(graph, routes, SETTINGS, recipe, inputs=inputs)
    weights = trained(together)
    for k in range(3):
        alone = trainer(graph, routes[k : k + 1], SETTINGS[k : k + 1], recipe, inputs=inputs)
        assert max(differences(trained(alone), of_candidate(weights, k))) < 1e-9
        for name, tensor in keep(together.state(), [k]).items():
            torch.testing.assert_close(tensor, alone.state()[name], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("recipe", OPTIONS.values(), ids=OPTIONS)
def test_balancers_towers_and_stages_see_the_rows_as_they_see_a_table(recipe: Recipe) -> None:
    """Every batch reads every row of these tables, so that training by rows is training as usual."""
    graph, routes = routes_of_one_shape(3)
    results = []
    for large_table in (1, NEVER):
        pack = trainer(graph, routes, SETTINGS, recipe, inputs=replace(INPUTS, large_table=large_table))
        for batch in pack._stream.epoch(0):
            for seed in range(batch.categorical.shape[0]):
                assert [len(column.unique()) for column in batch.categorical[seed].unbind(1)] == [5, 3]
                assert len(batch.bags[0].values[seed].unique()) == 6
        results.append((trained(pack), pack.evaluate("test")))
    assert max(differences(results[0][0], results[1][0])) < 1e-9
    for task, metrics in results[0][1].items():
        for name, values in metrics.items():
            torch.testing.assert_close(values, results[1][1][task][name])


def test_rows_of_tasks_are_read_as_well() -> None:
    recipe = replace(SHORT, own_rows=True, batch_size=8)
    named = NAMED_ROUTES["mmoe"](
        [Tower(task=t.name, reads="", hidden=(), outputs=t.num_outputs) for t in TASKS], Size()
    )
    pack = trainer(named.graph, [named.route] * 2, SETTINGS[:2], recipe, inputs=MIXED)
    before = weights_of(pack)
    after = trained(pack)
    for name in ("encoder.tables.1", "encoder.bags.0"):
        assert (before[name] != after[name]).any(dim=2).all()


@pytest.mark.parametrize("stop", [3, 9])
def test_a_run_that_goes_on_from_its_state_ends_bit_by_bit_alike(stop: int) -> None:
    recipe = replace(SHORT, evaluate_every=3)
    graph, routes = routes_of_one_shape(3)
    inputs = replace(MIXED, vocabularies=(200, 3))
    whole = trainer(graph, routes, SETTINGS, recipe, inputs=inputs)
    states = {look.step: safetensors.torch.save(whole.state()) for look in whole.run()}
    resumed = trainer(graph, routes, SETTINGS, recipe, inputs=inputs)
    resumed.load_state(safetensors.torch.load(states[stop]))
    weights = trained(resumed)
    assert max(differences(weights_of(whole), weights)) == 0
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, resumed.state()[name]), name


def test_candidates_go_on_in_other_company() -> None:
    graph, routes = routes_of_one_shape(3)

    def pack(members: Sequence[int]) -> PackTrainer:
        chosen = [routes[m] for m in members]
        return trainer(graph, chosen, [SETTINGS[m] for m in members], SHORT, inputs=MIXED)

    first, second, alone = pack((0, 1)), pack((2,)), pack((2,))
    for started in (first, second):
        for _ in started.run(until=5):
            pass
    joined = pack((2, 0))
    joined.load_state(join([second.state(), keep(first.state(), [0])]))
    assert max(differences(trained(alone), of_candidate(trained(joined), 0))) < 1e-9


def test_the_best_tables_are_kept_shown_and_left_behind() -> None:
    """Rates so large that later looks are worse, and a candidate that never has a score."""
    recipe = replace(SHORT, schedule="constant", evaluate_every=2)
    graph, routes = routes_of_one_shape(3)
    wild = trainer(graph, routes, [Settings(lr=lr) for lr in (0.3, 0.01, 1e300)], recipe, inputs=MIXED)
    seen = [(look.scores, weights_of(wild)["encoder.tables.1"]) for look in wild.run(until=12)]
    scores = torch.stack([scores for scores, _ in seen])
    best = scores.nan_to_num(-torch.inf).argmax(dim=0)
    assert best[0] < len(seen) - 1
    assert scores[:, 2].isnan().all()
    with wild.holding_best():
        shown = weights_of(wild)["encoder.tables.1"]
    for k in range(2):
        assert torch.equal(shown[k], seen[best[k]][1][k])
    assert shown[2].isnan().any()
    assert torch.equal(weights_of(wild)["encoder.tables.1"][:2], seen[-1][1][:2])
    seen += [(look.scores, weights_of(wild)["encoder.tables.1"]) for look in wild.run()]
    best = torch.stack([scores for scores, _ in seen]).nan_to_num(-torch.inf).argmax(dim=0)
    for k in range(2):
        assert torch.equal(weights_of(wild)["encoder.tables.1"][k], seen[best[k]][1][k])


class _Names(TorchDispatchMode):
    """What reaches the device."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_reading_and_writing_launch_no_more_for_more_candidates_and_wait_for_nothing() -> None:
    launched = []
    graph, routes = routes_of_one_shape(4)
    for size in (2, 3, 4):
        settings = [Settings(data_seed=k % 2) for k in range(size)]
        pack = trainer(graph, routes[:size], settings, SHORT, inputs=MIXED)
        batch = next(pack._stream.epoch(0))
        with _Names() as found:
            reading = pack._large.read(batch, pack._optimiser)
            pack._objective.measure(batch, pack.selection, pack._noise, reading.large)
            pack._large.write(reading, pack._optimiser)
        launched.append(len(found.names))
        assert found.names.count("sort") == 2  # one a table, whatever K and the number of data seeds
        assert not {"_local_scalar_dense", "nonzero", "_unique2", "unique_dim", "lift_fresh"}.intersection(found.names)
    assert launched[0] == launched[1] == launched[2]


def test_a_job_with_two_hundred_thousand_values_learns_and_freezes() -> None:
    """Every value comes up some four times: what the labels depend on is in the table alone."""
    size, num_rows = 200_000, 6_000
    rng = np.random.default_rng(0)
    used = rng.choice(size, num_rows // 8, replace=False)
    categorical = used[rng.integers(0, len(used), (num_rows, 1))].astype(np.int32)
    labels = np.stack([categorical[:, 0] % 2, categorical[:, 0] // 2 % 2], 1).astype(np.float32)
    parts = dict(zip(("train", "valid", "test"), np.split(np.arange(num_rows), [5_000, 5_500]), strict=True))
    numeric = np.zeros((num_rows, 0), np.float32)
    arrays = Arrays(categorical=categorical, numeric=numeric, bags=(), labels=labels, parts=parts)
    tasks = tuple(Task(name=name, kind=TaskKind.BINARY, label=name) for name in ("odd", "half"))
    towers = [Tower(task=task.name, reads="", hidden=(), outputs=1) for task in tasks]
    named = NAMED_ROUTES["mmoe"](towers, Size(layers=1, experts=2, width=16))
    inputs = InputShape(vocabularies=(size,), embedding_widths=(8,))
    assert inputs.large_tables
    pack = PackTrainer(
        graph=named.graph,
        inputs=inputs,
        routes=[named.route] * 2,
        settings=[Settings(lr=0.03, seed=seed, data_seed=seed) for seed in range(2)],
        tasks=tasks,
        data=ResidentData.of(arrays, torch.device("cpu")),
        recipe=Recipe(batch_size=250, epochs=15),
        parts=("train",),
    )
    assert pack._flat.weights.shape[1] < 250 * 8 + 10_000
    for _ in pack.run():
        pass
    found = pack.evaluate("test")
    assert min(values.min() for metrics in found.values() for name, values in metrics.items() if name == "auc") > 0.9
    frozen = freeze(pack.net, named.route, candidate=1)
    assert frozen.state_dict()["encoder.tables.0"].shape == (1, size, 8)
    assert all(parameter.requires_grad for parameter in frozen.parameters())
    batch = next(pack.data.gather_each([torch.arange(64)[None]]))
    ours = pack.net(batch, pack.selection)
    theirs = frozen(batch, Selection.from_route(frozen.graph, named.route))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one[1:], other)


def test_tables_of_frozen_encoders_are_left_alone() -> None:
    graph, routes = routes_of_one_shape(1)
    frozen = replace(graph, encoders=tuple(replace(encoder, frozen=True) for encoder in graph.encoders))
    pack = trainer(frozen, routes, SETTINGS[:1], SHORT, inputs=MIXED, data=resident())
    before = weights_of(pack)
    after = trained(pack)
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("encoder."))
    assert not all(torch.equal(before[name], after[name]) for name in before)
    assert not any(name.startswith("large_tables") for name in pack.state())


def test_rows_belong_to_the_encoder_whose_table_they_are_of() -> None:
    """STEM gives every task tables of its own."""
    towers = [Tower(task=t.name, reads="", hidden=(), outputs=t.num_outputs) for t in TASKS]
    named = NAMED_ROUTES["stem"](towers, Size(layers=1, experts=1, width=4))
    assert len(named.graph.encoders) == 1 + len(TASKS)
    packs = [
        trainer(named.graph, [named.route], SETTINGS[:1], OPTIONS["gradients"], inputs=replace(INPUTS, large_table=n))
        for n in (1, NEVER)
    ]
    assert max(differences(trained(packs[0]), trained(packs[1]))) < 1e-9
    for pack in packs:
        found = [part.name for part in components(pack.net, pack._flat) if part.kind == "encoder"]
        assert sorted(found) == sorted(encoder.name for encoder in named.graph.encoders)


def test_searches_over_shared_weights_train_whole_tables() -> None:
    results = []
    for large_table in (1, NEVER):
        ground = Ground(
            space=space(),
            inputs=replace(INPUTS, large_table=large_table),
            settings=SETTINGS[:2],
            tasks=TASKS,
            data=resident(dtype=torch.float32),
            recipe=Recipe(batch_size=32, epochs=1),
        )
        weights = SharedWeights(ground)
        route = ground.space.sample(np.random.default_rng(0))
        selection = Selection.from_routes(weights.net.graph, [[route]] * 2)
        for step, batch in weights.batches(0):
            weights.learn(batch, selection, step=step)
        results.append({name: parameter.detach() for name, parameter in weights.net.named_parameters()})
    assert max(differences(*results)) == 0
