"""The policy-gradient search: what it learns from, where it goes, and that nothing else decides its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from mtnas.errors import SpaceError
from mtnas.routes import InputShape, Tower, canonical_route
from mtnas.routes.building.layered import layered_graph
from mtnas.search.specs.supernet_specs import ReinforceSearch
from mtnas.spaces import Constraints, SearchSpace
from mtnas.tasks import Task, TaskKind
from mtnas.training.feeding.rows import ResidentData
from mtnas.training.recipe import Recipe
from mtnas.training.searches.reinforce import ReinforceSearcher, leave_one_out
from mtnas.training.searches.shared_supernet import Ground
from mtnas.training.searches.supernet_search import PASSES, Proposal
from mtnas.trials import Settings
from tests.training.problem import INPUTS, TASKS, Arrays, arrays, resident, space, with_labels
from tests.training.spaces import LINEAR, MLP

RECIPE = Recipe(batch_size=32, epochs=2)
SEARCH = ReinforceSearch(routes_per_step=4, reward_rows=32, lr=0.1, warmup=0.25)
SETTINGS = (
    Settings(lr=0.01, seed=1, dropout=0.2),
    Settings(lr=0.02, seed=2, data_seed=1),
    Settings(lr=0.01, seed=3, dropout=0.1, weight_decay=0.1),
)


def searcher(
    settings: Sequence[Settings] = SETTINGS[:1],
    *,
    found: Arrays | None = None,
    recipe: Recipe = RECIPE,
    search: ReinforceSearch = SEARCH,
    within: SearchSpace | None = None,
) -> ReinforceSearcher:
    return ReinforceSearcher(
        Ground(
            space=within or space(),
            inputs=INPUTS,
            settings=settings,
            tasks=TASKS,
            data=resident(found, dtype=torch.float32),
            recipe=recipe,
        ),
        [search] * len(settings),
    )


def finished(made: ReinforceSearcher) -> ReinforceSearcher:
    for _ in made.run():
        pass
    return made


def is_same(one: Mapping[str, Tensor], two: Mapping[str, Tensor], prefix: str = "") -> bool:
    return all(torch.equal(tensor, two[name]) for name, tensor in one.items() if name.startswith(prefix))


def policy_logits(made: ReinforceSearcher) -> Tensor:
    """``[K, P]``."""
    return torch.cat([p.detach().flatten(1) for p in made.policy.parameters()], dim=1)


class TestPolicyGradient:
    @pytest.mark.parametrize("num_routes", [4, 7])
    def test_advantages_of_a_search_sum_to_zero(self, num_routes: int) -> None:
        rewards = torch.randn(3, num_routes, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        advantages = leave_one_out(rewards)
        torch.testing.assert_close(advantages.sum(1), torch.zeros(3, dtype=torch.float64))
        for m in range(num_routes):
            others = torch.cat([rewards[:, :m], rewards[:, m + 1 :]], dim=1).mean(1)
            torch.testing.assert_close(advantages[:, m], rewards[:, m] - others)

    def test_equal_rewards_are_no_reason_to_move(self) -> None:
        assert not leave_one_out(torch.full((2, 4), -0.7)).any()

    @pytest.mark.parametrize("position", [0, 1])
    def test_the_policy_moves_to_the_block_that_can_do_the_task(self, position: int) -> None:
        """The label is the sign of a product, which no linear block can tell."""
        blocks = (MLP, LINEAR) if position == 0 else (LINEAR, MLP)
        made = product_search(
            ReinforceSearch(routes_per_step=8, reward_rows=128, lr=0.05, entropy=0.0, warmup=0.3), blocks
        )
        finished(made)
        (choice,) = made.policy.blocks
        chances = choice.logits.softmax(-1)[0]  # type: ignore[union-attr, operator]
        assert chances[0, position] > 0.95
        (proposals,) = made.proposals(4)
        assert {block for _, block in proposals[0].route.blocks} == {MLP}

    def test_the_entropy_bonus_keeps_choices_open(self) -> None:
        entropies = []
        for bonus in (0.0, 1.0):
            made = finished(product_search(changed(entropy=bonus, reward_rows=128), (MLP, LINEAR)))
            entropies.append(made.policy.entropy().item())
        assert entropies[0] < entropies[1]


def product_search(search: ReinforceSearch, blocks: tuple[Any, ...]) -> ReinforceSearcher:
    """One task, one slot, two blocks to fill it with."""
    rng = np.random.default_rng(0)
    numeric = rng.uniform(-1, 1, (1200, 2)).astype(np.float32)
    found = Arrays(
        categorical=np.zeros((1200, 0), np.int32),
        numeric=numeric,
        bags=(),
        labels=(numeric[:, :1] * numeric[:, 1:] > 0).astype(np.float32),
        parts={"train": np.arange(1000), "search": np.arange(1000, 1200)},
    )
    towers = [Tower(task="t", reads="", hidden=())]
    return ReinforceSearcher(
        Ground(
            space=SearchSpace(name="product", graph=layered_graph(towers, subnets=(1,), choices=blocks)),
            inputs=InputShape(vocabularies=(), embedding_widths=(), num_numeric=2),
            settings=[Settings(lr=0.03, seed=1)],
            tasks=[Task(name="t", kind=TaskKind.BINARY, label="t")],
            data=ResidentData.of(found, torch.device("cpu")),
            recipe=Recipe(batch_size=64, epochs=10, schedule="constant"),
        ),
        [search],
    )


def changed(**values: Any) -> ReinforceSearch:
    return SEARCH.model_copy(update=values)


def shuffled(labels: Any) -> Any:
    return np.random.default_rng(9).permutation(labels)


class TestRows:
    """METHODS.md section 9: architecture trained on the weight-training split, selection on the test set."""

    @pytest.mark.parametrize("part", ["valid", "test"])
    def test_valid_and_test_rows_decide_nothing(self, part: str) -> None:
        clean, poisoned = arrays(), with_labels(arrays(), part, lambda labels: labels * np.nan)
        first, second = (finished(searcher(found=found)) for found in (clean, poisoned))
        assert is_same(first.state(), second.state())
        assert first.proposals(4) == second.proposals(4)

    def test_search_rows_do_not_train_weights(self) -> None:
        """With a policy that stands still, search labels reach nothing but the scales of the reward."""
        still = changed(lr=1e-30)
        clean, poisoned = arrays(), with_labels(arrays(), "search", shuffled)
        first, second = (finished(searcher(found=found, search=still)).state() for found in (clean, poisoned))
        assert is_same(first, second, "weights.")
        assert not torch.equal(first["scale"], second["scale"])

    def test_training_rows_give_no_rewards(self) -> None:
        """With weights that stand still, training labels reach nothing of the policy."""
        still = [replace(SETTINGS[0], lr=1e-30)]
        clean, poisoned = arrays(), with_labels(arrays(), "train", shuffled)
        first, second = (finished(searcher(still, found=found)).state() for found in (clean, poisoned))
        assert is_same(first, second, "policy.")
        assert is_same(first, second, "scale")
        assert not is_same(first, second, "weights.")

    def test_inherited_metrics_are_those_of_the_whole_search_part(self) -> None:
        made = finished(searcher())
        (proposals,) = made.proposals(3)
        frozen = made.state()["weights.weights"]
        for proposal in proposals:
            found = made.weights.inherited([proposal.route])
            for task, metrics in proposal.inherited.items():
                assert metrics == {str(name): values.item() for name, values in found[task].items()}
        assert torch.equal(made.state()["weights.weights"], frozen)

    def test_a_task_without_labels_in_a_reward_batch_keeps_its_scale(self) -> None:
        """One in forty rows has a label: most batches of 32 have few, some have none."""
        rare = with_labels(
            arrays(missing=0),
            "search",
            lambda labels: np.where((np.arange(3) == 1) & (np.arange(64)[:, None] % 40 > 0), np.nan, labels),
        )
        common = finished(searcher(found=arrays(missing=0))).state()["scale"]
        found = finished(searcher(found=rare)).state()["scale"]
        assert found[0, 1] > 0.2 * common[0, 1]
        assert found.isfinite().all()


class TestSameAnswer:
    @pytest.mark.parametrize("search", [SEARCH, changed(policy_every=3), changed(prior=1.0)])
    def test_a_search_that_goes_on_from_its_state_ends_bit_by_bit_alike(self, search: ReinforceSearch) -> None:
        whole = searcher(SETTINGS, search=search)
        states = {
            pulse.step: safetensors.torch.save({n: t.contiguous() for n, t in whole.state().items()})
            for pulse in whole.run()
        }
        end, proposals = whole.state(), whole.proposals(5)
        assert whole.total_steps == max(states) == 16
        for step in (2, 5, 11, 16):
            resumed = searcher(SETTINGS, search=search)
            resumed.load_state(safetensors.torch.load(states[step]))
            finished(resumed)
            assert is_same(end, resumed.state())
            assert proposals == resumed.proposals(5)

    def test_searches_in_a_pack_are_those_alone(self) -> None:
        pack = finished(searcher(SETTINGS))
        proposals = pack.proposals(5)
        for k, settings in enumerate(SETTINGS):
            alone = finished(searcher([settings]))
            # float32 over 16 steps and three draws of noise: rounding, not another path
            torch.testing.assert_close(policy_logits(alone)[0], policy_logits(pack)[k], rtol=1e-3, atol=1e-4)
            (single,) = alone.proposals(5)
            assert [p.route for p in single] == [p.route for p in proposals[k]]
            for mine, theirs in zip(single, proposals[k], strict=True):
                assert mine.derived is theirs.derived
                for task, metrics in mine.inherited.items():
                    assert metrics == pytest.approx(dict(theirs.inherited[task]), rel=1e-3)

    def test_the_same_seed_gives_the_same_answer_and_another_seed_another(self) -> None:
        first, again = (finished(searcher()) for _ in range(2))
        other = finished(searcher([replace(SETTINGS[0], seed=8)]))
        assert is_same(first.state(), again.state())
        assert first.proposals(4) == again.proposals(4)
        assert not torch.equal(policy_logits(first), policy_logits(other))

    def test_asking_for_proposals_changes_nothing_but_the_charge(self) -> None:
        made = finished(searcher())
        state = made.state()
        assert made.proposals(6) == made.proposals(6)
        after = made.state()
        assert (after.pop(PASSES) >= state.pop(PASSES)).tolist() == [True, True]
        assert is_same(state, after)

    def test_pulses_tell_steps_and_entropy(self) -> None:
        made = searcher(SETTINGS)
        pulses = list(made.run())
        assert [pulse.step for pulse in pulses] == list(range(1, 17))
        assert {pulse.total_steps for pulse in pulses} == {16}
        assert all(pulse.entropy.shape == (3,) and pulse.entropy.isfinite().all() for pulse in pulses)
        warm = [pulse.entropy for pulse in pulses[:4]]
        assert all(torch.equal(entropy, warm[0]) for entropy in warm)
        assert not torch.equal(pulses[-1].entropy, warm[0])


CHANGES: Mapping[str, Any] = {
    "routes_per_step": 5,
    "reward_rows": 16,
    "lr": 0.2,
    "entropy": 0.5,
    "warmup": 0.5,
    "policy_every": 2,
    "prior": 1.0,
    "co_training": 0.5,
}


class TestHyperParameters:
    def test_none_is_forgotten_here(self) -> None:
        course = {
            "kind",
            "epochs",
            "searches",
            "vary",
            "least_steps",
            "settle",
            "screen",
        }  # test_settling, test_screening
        assert set(ReinforceSearch.model_fields) - course == CHANGES.keys()

    @pytest.mark.parametrize("name", CHANGES)
    def test_every_one_changes_the_policy(self, name: str) -> None:
        base, other = (finished(searcher(search=s)) for s in (SEARCH, changed(**{name: CHANGES[name]})))
        assert (policy_logits(base) - policy_logits(other)).abs().max() > 1e-4

    @pytest.mark.parametrize(
        "change", [{"lr": 0.03}, {"weight_decay": 0.5}, {"dropout": 0.5}, {"seed": 9}, {"data_seed": 9}]
    )
    def test_every_setting_changes_the_search(self, change: Mapping[str, Any]) -> None:
        base, changed = (finished(searcher([s])) for s in (SETTINGS[0], replace(SETTINGS[0], **change)))
        assert not is_same(base.state(), changed.state(), "weights.weights")

    @pytest.mark.parametrize("change", [{"batch_size": 64}, {"epochs": 3}, {"schedule": "constant"}])
    def test_the_recipe_changes_the_search(self, change: Mapping[str, Any]) -> None:
        base, changed = (finished(searcher(recipe=r)) for r in (RECIPE, replace(RECIPE, **change)))
        assert not is_same(base.state(), changed.state(), "weights.weights")


class TestProposals:
    def test_the_derived_route_comes_first_and_routes_are_distinct(self) -> None:
        made = finished(searcher(SETTINGS))
        best = made.policy.best()
        for k, proposals in enumerate(made.proposals(6)):
            assert proposals[0].route == best[k]
            assert [p.derived for p in proposals] == [True] + [False] * (len(proposals) - 1)
            texts = [canonical_route(made.space.graph, p.route).text for p in proposals]
            assert len(set(texts)) == len(texts) <= 7

    @pytest.mark.parametrize("num_samples", [0, 1, 3])
    def test_there_are_never_more_than_asked_for(self, num_samples: int) -> None:
        assert 1 <= len(finished(searcher()).proposals(num_samples)[0]) <= num_samples + 1

    def test_only_routes_within_the_constraints_are_proposed(self) -> None:
        limits = Constraints(max_params=space().cost(space().cheapest()).num_params + 60)
        within = replace(space(), constraints=limits)
        made = finished(searcher(SETTINGS, within=within))
        for proposals in made.proposals(6):
            assert proposals
            assert all(within.contains(p.route) for p in proposals)

    def test_a_search_that_draws_no_legal_route_proposes_legal_ones_and_leaves_the_others_alone(self) -> None:
        """The first search is made to insist on the dearest blocks, which the limit forbids."""
        cheapest = space().cheapest()
        within = replace(space(), constraints=Constraints(max_params=space().cost(cheapest).num_params + 60))

        def insist(made: ReinforceSearcher) -> list[list[Proposal]]:
            with torch.no_grad():
                for choices in made.policy.blocks:
                    choices.logits[0] = torch.tensor([-40.0, 40.0])  # type: ignore[operator, index]
            return made.proposals(4)

        proposals = insist(searcher(SETTINGS[:2], within=within))
        assert proposals[0]
        assert all(within.contains(p.route) for p in proposals[0])
        assert [p.derived for p in proposals[0]].count(True) == 1, "what it insists on, brought within the limits"
        assert [p.route for p in proposals[1]] == [
            p.route for p in searcher([SETTINGS[1]], within=within).proposals(4)[0]
        ]

    def test_impossible_constraints_are_named(self) -> None:
        with pytest.raises(SpaceError, match="constraints"):
            searcher(within=replace(space(), constraints=Constraints(max_params=1))).proposals(2)

    def test_a_search_that_diverged_proposes_nothing_and_does_not_disturb_the_others(self) -> None:
        calm = finished(searcher(SETTINGS[:2]))
        wild = finished(searcher([replace(SETTINGS[0], lr=1e30), SETTINGS[1]]))
        proposals = wild.proposals(4)
        assert proposals[0] == []
        assert proposals[1] == calm.proposals(4)[1]
