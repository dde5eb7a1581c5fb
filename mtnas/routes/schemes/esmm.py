"""Entire-space modelling: a later event's probability is a product along the chain of tasks (ESMM; Ma et al., SIGIR
2018, https://arxiv.org/abs/1804.07931).

pCTCVR = pCTR * pCVR: the tower of a later task gives the conditional probability, its output the product with the
task before it, so that its labels are those of the entire space. Towers stand in the order of events; the chain is
that of the binary tasks, and towers with several outputs are left out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtnas.routes.nodes import Tower
from mtnas.routes.schemes.named_route import NamedRoute, Size
from mtnas.routes.schemes.one_bottom import single_task


def esmm(towers: Sequence[Tower], size: Size) -> NamedRoute:
    """A network per task on shared embeddings; outputs with one logit multiply along the chain."""
    before: str | None = None
    chained = []
    for tower in towers:
        if tower.outputs == 1:
            chained.append(replace(tower, product_of=before))
            before = tower.task
        else:
            chained.append(tower)
    return replace(single_task(chained, size), name="esmm")
