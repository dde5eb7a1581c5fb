"""From a specification to the search over shared weights that carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from mtnas.routes import InputShape
from mtnas.search.shared_weights import (
    GradientSearch,
    OneShotSearch,
    ReinforceSearch,
    SharedWeightsSearch,
    SparseSharingSearch,
)
from mtnas.spaces import SearchSpace
from mtnas.tasks import Task
from mtnas.training.gradient import GradientSearcher
from mtnas.training.one_shot import OneShotSearcher
from mtnas.training.recipe import Recipe
from mtnas.training.reinforce import ReinforceSearcher
from mtnas.training.rows import TrainingData
from mtnas.training.sparse_sharing import SparseSharingSearcher
from mtnas.training.supernet_search import SupernetSearch
from mtnas.trials import Settings


def make_search(
    searches: Sequence[SharedWeightsSearch],
    *,
    space: SearchSpace,
    inputs: InputShape,
    settings: Sequence[Settings],
    tasks: Sequence[Task],
    data: TrainingData,
    recipe: Recipe,
    most_steps: int | None = None,
) -> SupernetSearch:
    """K searches of one kind in one pack.

    Args:
        searches: specifications, one per search.
        space: where to search.
        inputs: shape of the data's features.
        settings: one per search.
        tasks: in the order of the space's towers.
        data: with parts ``train`` and ``search``.
        recipe: how the shared weights are trained.
        most_steps: weight steps at most, where the recipe's epochs have more; the schedule shrinks with them.

    Raises:
        SpaceError: a space without the choices that the method makes.
    """
    match searches[0]:
        case ReinforceSearch():
            return ReinforceSearcher(
                space=space,
                inputs=inputs,
                settings=settings,
                tasks=tasks,
                data=data,
                recipe=recipe,
                most_steps=most_steps,
                searches=cast(Sequence[ReinforceSearch], searches),
            )
        case OneShotSearch():
            return OneShotSearcher(
                space=space,
                inputs=inputs,
                settings=settings,
                tasks=tasks,
                data=data,
                recipe=recipe,
                most_steps=most_steps,
                searches=cast(Sequence[OneShotSearch], searches),
            )
        case SparseSharingSearch():
            return SparseSharingSearcher(
                space=space,
                inputs=inputs,
                settings=settings,
                tasks=tasks,
                data=data,
                recipe=recipe,
                most_steps=most_steps,
                searches=cast(Sequence[SparseSharingSearch], searches),
            )
        case GradientSearch():
            return GradientSearcher(
                space=space,
                inputs=inputs,
                settings=settings,
                tasks=tasks,
                data=data,
                recipe=recipe,
                most_steps=most_steps,
                searches=cast(Sequence[GradientSearch], searches),
            )
        case other:
            raise AssertionError(other)
