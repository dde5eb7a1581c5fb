"""The policy over routes, against probabilities that are worked out by listing every choice."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import pytest
import torch
from torch import Tensor

from mtnas.routes import Block, Junction, Mix, Slot
from mtnas.spaces import SearchSpace
from mtnas.supernets import Selection
from mtnas.training.searches.choices import BlockChoices, MixChoices
from mtnas.training.searches.coin_choices import CoinChoices
from mtnas.training.searches.policy import RoutePolicy
from mtnas.training.step.noise import Noise
from tests.training.chi_square import p_value
from tests.training.spaces import SPACES

CPU = torch.device("cpu")


def policy_of(space: SearchSpace, num_searches: int = 1, *, seed: int = 0, spread: float = 1.0) -> RoutePolicy:
    """A policy that has an opinion about everything."""
    policy = RoutePolicy(space, num_searches, CPU)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    return policy


def noise_of(seeds: Sequence[int], *, step: int = 0) -> Noise:
    noise = Noise(seeds=seeds, dropout=[0.0] * len(seeds), device=CPU)
    noise.at_step(step)
    return noise


def softmax(logits: Sequence[float]) -> list[float]:
    weights = [math.exp(x - max(logits)) for x in logits]
    return [w / sum(weights) for w in weights]


def chance_of_mixes(policy: RoutePolicy, junction: Junction, k: int) -> dict[Mix, float]:
    """The probability of every mix of a junction under search k."""
    for mixes in (*policy.mixes, *policy.given):
        if isinstance(mixes, MixChoices) and junction in mixes.junctions:
            logits = mixes.logits[k, mixes.junctions.index(junction)].tolist()
            return dict(zip(policy.space.mixes(junction), softmax(logits), strict=True))
    for coins in policy.coins:
        assert isinstance(coins, CoinChoices)
        if junction in coins.junctions:
            return _chance_by_coins(policy.space, coins, junction, k)
    raise AssertionError(junction.name)


def _chance_by_coins(space: SearchSpace, coins: CoinChoices, junction: Junction, k: int) -> dict[Mix, float]:
    j = coins.junctions.index(junction)
    optional = [edge.source for edge in junction.edges if not edge.required]
    odds = {s: math.exp(x) for s, x in zip(optional, coins.edge_logits[k, j].tolist(), strict=True)}
    stop = (
        {} if coins.stop_logits is None else dict(zip(junction.sources, coins.stop_logits[k, j].tolist(), strict=True))
    )
    both = {edge.source for edge in junction.edges if len(edge.states) > 1}
    gates = [gate for gate in junction.gates if gate.value != "pass"]
    manners = [(g, q) for g in gates for q in (junction.queries if g.takes_query else ("none",))]
    of_manner = dict(zip(manners, softmax(coins.logits[k, j].tolist()), strict=False))
    mixes = list(space.mixes(junction))
    of_set = {mix.inputs: math.prod(odds.get(source, 1.0) for source in mix.inputs) for mix in mixes}
    table = {}
    for mix in mixes:
        chance = of_set[mix.inputs] / sum(of_set.values())
        for source in both & set(mix.inputs):
            stopped = 1 / (1 + math.exp(-stop[source]))
            chance *= stopped if source in mix.forward_only else 1 - stopped
        table[mix] = chance * (of_manner[mix.gate, mix.query] if len(mix.inputs) > 1 else 1.0)
    return table


def chance_of_blocks(policy: RoutePolicy, slot: Slot, k: int) -> dict[Block, float]:
    for blocks in (*policy.blocks, *policy.given):
        if isinstance(blocks, BlockChoices) and slot in blocks.slots:
            return dict(zip(slot.choices, softmax(blocks.logits[k, blocks.slots.index(slot)].tolist()), strict=True))
    raise AssertionError(slot.name)


def tables_of(policy: RoutePolicy, k: int) -> tuple[dict[str, dict[Mix, float]], dict[str, dict[Block, float]]]:
    """Probabilities of all mixes and blocks under search k."""
    graph = policy.space.graph
    mixes = {junction.name: chance_of_mixes(policy, junction, k) for junction in graph.junctions}
    return mixes, {slot.name: chance_of_blocks(policy, slot, k) for slot in graph.slots}


def entropy(table: Mapping[Hashable, float]) -> float:
    return -sum(p * math.log(p) for p in table.values())


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return SPACES[request.param]


def test_routes_come_as_often_as_the_policy_says(space: SearchSpace) -> None:
    policy = policy_of(space)
    drawn = policy.routes(policy.sample(noise_of([0]), 1500).selection)[0]
    # 16 spaces of up to 8 choices; draws are fixed. A wrong distribution gives p-values below 1e-10.
    of_mix, of_block = tables_of(policy, 0)
    for position, (name, _) in enumerate(drawn[0].mixes):
        assert p_value([route.mixes[position][1] for route in drawn], of_mix[name]) > 1e-3, name
    for position, (name, _) in enumerate(drawn[0].blocks):
        assert p_value([route.blocks[position][1] for route in drawn], of_block[name]) > 1e-3, name


def test_every_route_drawn_is_in_the_space(space: SearchSpace) -> None:
    policy = policy_of(space, 2, spread=3.0)
    for routes in policy.routes(policy.sample(noise_of([0, 1]), 100).selection):
        assert {space.check(route) for route in routes} == {None}


def test_log_probability_is_that_of_the_route(space: SearchSpace) -> None:
    policy = policy_of(space, 2, seed=1)
    sample = policy.sample(noise_of([3, 4]), 20)
    for k, routes in enumerate(policy.routes(sample.selection)):
        of_mix, of_block = tables_of(policy, k)
        wanted = [
            math.log(math.prod(of_mix[name][mix] for name, mix in route.mixes))
            + math.log(math.prod(of_block[name][block] for name, block in route.blocks))
            for route in routes
        ]
        assert sample.log_prob[k].tolist() == pytest.approx(wanted, rel=1e-4, abs=1e-4)  # float32 sums


def test_entropy_is_that_of_the_distribution(space: SearchSpace) -> None:
    policy = policy_of(space, 2, seed=2)
    for k in range(2):
        wanted = sum(entropy(table) for tables in tables_of(policy, k) for table in tables.values())
        assert policy.entropy()[k].item() == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_a_new_policy_finds_all_mixes_of_few_inputs_equally_likely() -> None:
    space = SPACES["layers"]
    policy = RoutePolicy(space, 1, CPU)
    size = sum(math.log(len(list(space.mixes(junction)))) for junction in space.graph.junctions)
    assert policy.entropy().item() == pytest.approx(size, rel=1e-5)


def test_best_is_the_most_probable_choice_everywhere(space: SearchSpace) -> None:
    policy = policy_of(space, 6)
    tossed = {junction.name for coins in policy.coins for junction in coins.junctions}
    for k, route in enumerate(policy.best()):
        assert space.contains(route)
        of_mix, of_block = tables_of(policy, k)
        for name, mix in route.mixes:
            table = of_mix[name]
            if name in tossed:  # above six inputs the set is the best set, and the rest is best within it
                of_set: dict[tuple[str, ...], float] = {}
                for other, chance in table.items():
                    of_set[other.inputs] = of_set.get(other.inputs, 0.0) + chance
                assert of_set[mix.inputs] == pytest.approx(max(of_set.values()))
                table = {other: chance for other, chance in table.items() if other.inputs == mix.inputs}
            assert table[mix] == pytest.approx(max(table.values()))
        assert all(of_block[name][block] == max(of_block[name].values()) for name, block in route.blocks)


def test_routes_and_selections_are_two_spellings_of_one_thing(space: SearchSpace) -> None:
    policy = policy_of(space, 2)
    drawn = policy.sample(noise_of([1, 2]), 6).selection
    again = Selection.from_routes(space.graph, policy.routes(drawn))
    for name in ("edges", "gates", "queries", "blocks"):
        assert torch.equal(getattr(again, name), getattr(drawn, name)), name
    stops = [torch.zeros_like(s.edges) if s.forward_only is None else s.forward_only for s in (drawn, again)]
    assert torch.equal(*stops)


def test_draws_depend_neither_on_the_pack_nor_on_the_position(space: SearchSpace) -> None:
    pack = policy_of(space, 3)
    with torch.no_grad():
        for parameter in pack.parameters():  # searches 0 and 2 are the same, seed included
            parameter[2] = parameter[0]
    sample = pack.sample(noise_of([5, 6, 5]), 10)
    together = pack.routes(sample.selection)
    for k, seed in enumerate([5, 6, 5]):
        alone = RoutePolicy(space, 1, CPU)
        with torch.no_grad():
            for mine, theirs in zip(alone.parameters(), pack.parameters(), strict=True):
                mine.copy_(theirs[k : k + 1])
        single = alone.sample(noise_of([seed]), 10)
        assert alone.routes(single.selection)[0] == together[k]
        torch.testing.assert_close(single.log_prob[0], sample.log_prob[k], rtol=1e-6, atol=1e-6)


def test_draws_differ_between_seeds_and_steps() -> None:
    policy = policy_of(SPACES["layers"])
    routes = [
        policy.routes(policy.sample(noise_of([seed], step=step), 10).selection)[0]
        for seed, step in ((0, 0), (1, 0), (0, 1))
    ]
    assert routes[0] != routes[1]
    assert routes[0] != routes[2]


def test_gradient_of_the_log_probability_is_that_of_finite_differences(space: SearchSpace) -> None:
    policy = policy_of(space, seed=4)
    sample = policy.sample(noise_of([2]), 1)
    gradients = torch.autograd.grad(sample.log_prob.sum(), list(policy.parameters()), allow_unused=True)
    checked = 0
    for parameter, gradient in zip(policy.parameters(), gradients, strict=True):
        for index in range(0, parameter.numel(), max(1, parameter.numel() // 8)):
            slope = _slope(policy, parameter, index, sample.selection)
            if slope is not None:
                found = 0.0 if gradient is None else float(gradient.flatten()[index])
                assert slope == pytest.approx(found, abs=2e-3)  # float32 differences over steps of 0.02
                checked += 1
    assert checked > 5


def _slope(policy: RoutePolicy, parameter: Tensor, index: int, selection: Selection) -> float | None:
    """Of the log-probability of the routes drawn; None if the other logits draw others."""
    values = []
    for step in (0.01, -0.01):
        with torch.no_grad():
            parameter.view(-1)[index] += step
            sample = policy.sample(noise_of([2]), 1)
            parameter.view(-1)[index] -= step
        if policy.routes(sample.selection) != policy.routes(selection):
            return None
        values.append(sample.log_prob.item())
    return (values[0] - values[1]) / 0.02


def test_gradients_of_one_search_leave_the_others_alone() -> None:
    policy = policy_of(SPACES["many, states"], 3)
    sample = policy.sample(noise_of([1, 2, 3]), 4)
    for gradient in torch.autograd.grad(sample.log_prob[1].sum() + policy.entropy()[1], list(policy.parameters())):
        assert not gradient[[0, 2]].any()


def test_leaning_multiplies_the_odds_of_mixes_by_those_of_their_edges(space: SearchSpace) -> None:
    policy = policy_of(space, 2)
    before = tables_of(policy, 1)[0]
    odds = {(j.name, source): 0.3 * n - 0.5 for j in space.graph.junctions for n, source in enumerate(j.sources)}
    policy.lean([{}, odds])
    after = tables_of(policy, 1)[0]
    for name, table in before.items():
        # Required edges are on in every mix, so they move nothing.
        wanted = {mix: p * math.exp(sum(odds[name, source] for source in mix.inputs)) for mix, p in table.items()}
        for mix, weight in wanted.items():
            assert after[name][mix] == pytest.approx(weight / sum(wanted.values()), rel=1e-4)
