"""How many rows the passes of a search have, from the data and the recipe, without a device."""

from __future__ import annotations

import numpy as np

from mtnas.search.budgets.passes import PassRows
from mtnas.training.feeding.rows import Encoded
from mtnas.training.recipe import Recipe


def pass_rows(data: Encoded, recipe: Recipe) -> PassRows:
    """The rows of a search over shared weights with this recipe: weights on ``train``, all else on ``search``."""
    num_tasks: int = data.labels.shape[1]
    if not recipe.own_rows:
        held_out = len(data.parts["search"])
        return PassRows(
            step=min(recipe.batch_size, len(data.parts["train"])),
            evaluation=held_out,
            labelled=held_out,
            num_tasks=num_tasks,
            own_rows=False,
        )
    labels_T = np.count_nonzero(~np.isnan(data.labels[data.parts["search"]]), axis=0)
    return PassRows(
        step=recipe.batch_size * num_tasks,
        evaluation=int(labels_T.max()) * num_tasks,
        labelled=int(labels_T.sum()),
        num_tasks=num_tasks,
        own_rows=True,
    )
