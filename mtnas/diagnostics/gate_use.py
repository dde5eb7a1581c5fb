"""How gates use what they may read: entropy, sources that nobody uses, units that never fire.

The last two are the expert under-use and collapse of HoME (Wang et al., 2024, https://arxiv.org/abs/2408.05430).

Legend: J junctions, N sources, B batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mtnas.routes import Route
from mtnas.supernets import Selection, Supernet
from mtnas.supernets.activations import Activations
from mtnas.supernets.junctions import JunctionGroup
from mtnas.training.feeding.batches import rows_in_order
from mtnas.training.feeding.rows import TrainingData
from mtnas.training.measuring.evaluate import evaluation_rows

UNUSED = 0.1  # a source with less than this share of an even one is under-used
SILENT = 0.9  # a slot of whose outputs more than this share is zero has collapsed


def gate_use(net: Supernet, selection: Selection, route: Route, data: TrainingData, part: str) -> dict[str, Any]:
    """How the first candidate's gates mix the rows of a part.

    Returns:
        ``junctions``: for every junction of the route with several inputs their mean values, ``entropy`` (mean over
        rows, as a share of the largest possible, 0 to 1) and the inputs that are ``underused``. ``silent_slots``:
        slots whose outputs are almost all zero. ``unread_slots``: slots that every reader under-uses.
    """
    sums: dict[str, Tensor] = {}
    entropies: dict[str, list[float]] = {}
    zeros: dict[str, float] = {}
    num_rows = 0
    with _watching(net) as seen, torch.no_grad():
        for batch in rows_in_order(data, parts=(part,), batch_size=evaluation_rows(net)):
            seen.clear()
            net.trunk(batch, selection)
            num_rows += batch.num_rows
            batch_zeros: dict[str, float] = {}
            for group, values_JNB, nodes in seen:
                for name, values_NB in zip(group.names, values_JNB, strict=True):
                    means_N = values_NB.double().mean(1) * batch.num_rows
                    sums[name] = sums[name] + means_N if name in sums else means_N
                    entropies.setdefault(name, []).append(float(_entropy(values_NB.double())) * batch.num_rows)
                for source in {source for sources in group.source_lists for source in sources} - batch_zeros.keys():
                    share = float((nodes.one(source)[0] == 0).double().mean())
                    batch_zeros[source] = share * batch.num_rows
            for source, count in batch_zeros.items():
                zeros[source] = zeros.get(source, 0.0) + count
    mixes, sources_of = route.mix_of(), {junction.name: junction.sources for junction in net.graph.junctions}
    junctions: dict[str, Any] = {}
    readers: dict[str, list[bool]] = {}
    for name, total in sums.items():
        inputs = [source for source in sources_of[name] if name in mixes and source in mixes[name].inputs]
        means = dict(zip(sources_of[name], (total / num_rows).tolist(), strict=True))
        even = sum(abs(means[source]) for source in inputs) / max(len(inputs), 1)
        underused = [source for source in inputs if abs(means[source]) < UNUSED * even]
        for source in inputs:
            readers.setdefault(source, []).append(source in underused)
        if len(inputs) > 1:
            junctions[name] = {
                "values": {source: means[source] for source in inputs},
                "entropy": sum(entropies[name]) / num_rows,
                "underused": underused,
            }
    slots = {slot.name for slot in net.graph.slots}
    return {
        "junctions": junctions,
        "silent_slots": sorted(s for s, count in zeros.items() if s in slots and count / num_rows > SILENT),
        "unread_slots": sorted(source for source, ignored in readers.items() if source in slots and all(ignored)),
    }


def _entropy(values_NB: Tensor) -> Tensor:
    """Mean entropy of the values' sizes, over the logarithm of their number; 0 where only one is not zero."""
    size = values_NB.abs()
    share = size / size.sum(0).clamp(min=1e-300)
    active = (size > 0).sum(0).clamp(min=2)
    return (-torch.xlogy(share, share).sum(0) / active.log()).mean()


@contextmanager
def _watching(net: Supernet) -> Iterator[list[tuple[JunctionGroup, Tensor, Activations]]]:
    """Every forward pass of a junction group: its values ``[J, N, B or 1]`` for the first candidate, and the nodes."""
    seen: list[tuple[JunctionGroup, Tensor, Activations]] = []

    def look(group: nn.Module, arguments: tuple[Any, ...], _: object) -> None:
        assert isinstance(group, JunctionGroup)
        if len(group.sources_of[0]) > 1:
            seen.append((group, group.values(*arguments)[0], arguments[0]))

    hooks = [group.register_forward_hook(look) for group in net.gates.values()]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
