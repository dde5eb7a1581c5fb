"""Gumbel-Matrix as published, at a size for tests: the published script's own code, its sampling and its terms."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from benchmarks.gumbel_matrix import Allocation, SeparateNetworks, Setting, SharedNetwork, at_best_valid, train
from mtnas.routes import Tower
from mtnas.routes.blocks.convolutions import read_image
from mtnas.routes.building.image_levels import image_levels, stem_of
from mtnas.training.feeding.rows import ResidentData

SIZE, CLASSES = 9, 3
TINY = replace(Setting(), alphabets=2, size=SIZE, channels=4, rounds=4, batch=3, evaluate_every=2, dropout=0.0, lr=0.01)
TOWERS = [Tower(task=name, reads="", hidden=(), outputs=CLASSES) for name in ("a", "b")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Images of one task each; the place of a bright band is the class."""

    categorical: npt.NDArray[np.int32]
    numeric: npt.NDArray[np.float32]
    bags: tuple[()]
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.float32]
    parts: dict[str, npt.NDArray[np.int64]]


def data(per_part: int = 24, size: int = SIZE) -> ResidentData:
    rng = np.random.default_rng(0)
    num_rows = 4 * per_part
    classes = rng.integers(0, CLASSES, num_rows)
    labels = np.full((num_rows, 2), np.nan, np.float32)
    labels[np.arange(num_rows), np.arange(num_rows) % 2] = classes
    images = rng.integers(0, 60, (num_rows, size, size)).astype(np.uint8)
    for image, place in zip(images, classes, strict=True):
        image[:, place * size // CLASSES : (place + 1) * size // CLASSES] += 180
    rows = Rows(
        categorical=np.zeros((num_rows, 0), np.int32),
        numeric=np.zeros((num_rows, 0), np.float32),
        bags=(),
        images=images.reshape(num_rows, -1),
        labels=labels,
        parts=dict(zip(("train", "search", "valid", "test"), np.split(np.arange(num_rows), 4), strict=True)),
    )
    return ResidentData.of(rows, torch.device("cpu"))


def network(setting: Setting = TINY, *, learned: bool = True, seeds: tuple[int, ...] = (0, 1)) -> SharedNetwork:
    return SharedNetwork(setting, TOWERS, seeds, "cpu", learned=learned)


def test_the_published_setting_is_the_default() -> None:
    found = Setting()
    assert (found.alphabets, found.size, found.layers, found.channels, found.rounds, found.batch) == (
        *(20, 105, 8, 48),
        *(8_000, 16),
    )
    assert (found.lr, found.router_lr, found.p0, found.l2, found.dropout) == (1e-4, 2e-3, 0.97, 3e-4, 0.5)
    size = found.image_size
    levels = image_levels(stem_of(size.image, size.width), strides=size.strides)
    assert [len(level.components) for level in levels] == [7] * 8
    assert levels[-1].after is not None
    assert read_image(levels[-1].after.widths).size == 768


def test_the_published_script_runs_its_first_rounds_at_a_small_size() -> None:
    """Eight layers of seven components, dropout, both optimisers, looks at valid and test."""
    setting = replace(TINY, size=36, dropout=0.5, rounds=3)  # larger, since five strides must leave some pixels
    net = network(setting)
    assert net.allocation is not None
    before = net.allocation.logits.detach().clone()
    looks = list(train(net, data(size=36), setting, (0, 1)))
    assert [look.round for look in looks] == [2, 3]
    assert net.updates == 3 * 2
    assert at_best_valid(looks).shape == (2, 2)
    assert bool(net.flat.weights.isfinite().all())
    assert bool((net.allocation.logits != before).any(-1).all())


def test_it_learns_and_a_task_alone_can() -> None:
    setting = replace(TINY, layers=2, rounds=30, evaluate_every=30)
    alone = SeparateNetworks(setting, TOWERS, (0, 1), "cpu", setting.image_size)
    for net in (network(setting), network(setting, learned=False), alone):
        (look,) = train(net, data(), setting, (0, 1))
        assert float(look.test.mean()) > 0.8


def test_samples_are_binary_as_frequent_as_their_probability_and_carry_gradients() -> None:
    allocation = Allocation(1, 2, 5, 0.8)
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([allocation.sample(1, torch.rand(1, 5, 2, generator=generator), 1.0) for _ in range(2000)])
    assert set(draws.detach().unique().tolist()) == {0.0, 1.0}
    # Five standard errors of 10,000 draws.
    assert float(draws.detach().mean()) == pytest.approx(0.8, abs=5 * (0.8 * 0.2 / 10_000) ** 0.5)
    (gradient,) = torch.autograd.grad(draws.sum(), [allocation.logits])
    assert bool((gradient[:, 1, :, 0] > 0).all())
    assert bool((gradient[:, 1, :, 1] < 0).all())
    assert not gradient[:, 0].any()


def test_evaluation_has_no_noise_and_uses_what_is_at_least_as_likely_as_not() -> None:
    net = network(replace(TINY, dropout=0.9))
    assert net.allocation is not None
    with torch.no_grad():
        net.allocation.logits.copy_(
            torch.randn(net.allocation.logits.shape, generator=torch.Generator().manual_seed(3))
        )
    assert torch.equal(net.allocation.best().bool(), net.allocation.chances >= 0.5)
    found = data()
    rows = found.rows_of(("test",))[::2]
    accuracies = [net.accuracy(0, iter([found.gather(rows[None])])) for _ in range(2)]
    assert torch.equal(*accuracies)


def test_a_task_that_uses_nothing_gets_zeros_and_one_that_uses_some_their_average() -> None:
    net = network(replace(TINY, layers=1))
    batch = data().gather(torch.arange(4)[None])
    name = next(junction.name for junction in net.net.graph.junctions if len(junction.edges) == 7)
    whole = net.net.trunk(batch, net._routed(torch.ones(2, 7))).one(name)
    single = [net.net.trunk(batch, net._routed(torch.eye(7)[index].expand(2, 7))).one(name) for index in range(7)]
    none = net.net.trunk(batch, net._routed(torch.zeros(2, 7))).one(name)
    torch.testing.assert_close(whole, torch.stack(single).mean(0))
    assert not none.any()


@pytest.mark.parametrize(
    "terms", [{"budget": 0.3, "budget_penalty": 5.0}, {"entropy_penalty": 2.0, "entropy_power": 0.0}]
)
def test_the_terms_change_what_is_learned(terms: dict[str, float]) -> None:
    """A budget lowers use; an entropy term makes probabilities firmer."""
    found = []
    for setting in (TINY, replace(TINY, **terms)):  # type: ignore[arg-type]
        setting = replace(setting, layers=2, rounds=12, evaluate_every=12, router_lr=0.05, p0=0.7)
        net = network(setting, seeds=(0,))
        list(train(net, data(), setting, (0,)))
        assert net.allocation is not None
        chances = net.allocation.chances.detach()
        found.append((float(chances.mean()), float((chances - 0.5).abs().mean())))
    without, with_terms = found
    if "budget" in terms:
        assert with_terms[0] < without[0] - 0.05
    else:
        assert with_terms[1] > without[1] + 0.02


def test_routers_start_at_their_probability_and_seeds_differ() -> None:
    net = network()
    assert net.allocation is not None
    torch.testing.assert_close(net.allocation.chances, torch.full_like(net.allocation.chances, 0.97))
    assert not torch.equal(net.flat.weights[0], net.flat.weights[1])
