"""Small towers: beside every task's own tower a weaker one that predicts the same from the same vector.

"Small Towers Make Big Differences" (Wang et al., 2020, https://arxiv.org/abs/2008.05808; METHODS.md section 4): the
loss of task t is ``L_t(tower) + gamma L_t(small tower)``. What a tower too small to bend the representation to its
will can read out of it, is there for all. Small towers end with training: no frozen or exported module has them.

Legend: K pack, N towers of one group, B batch, W width, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from mtnas.routes import Tower
from mtnas.supernets import Initial, Supernet
from mtnas.supernets.activations import Activations
from mtnas.supernets.banks.towers import TowerGroup
from mtnas.training_options import AuxiliarySpec


class SmallTowers(nn.Module):
    """One small tower per task, for every candidate of a pack."""

    def __init__(self, net: Supernet, settings: AuxiliarySpec, seeds: Sequence[int]) -> None:
        """Make the towers; they say at first what the main ones do.

        Args:
            net: the untrained pack, whose towers' inputs these read as well.
            settings: their shape.
            seeds: one seed of initial weights per candidate.
        """
        super().__init__()
        weight = next(net.parameters())
        initial = Initial(seeds=tuple(seeds), device=weight.device, dtype=weight.dtype)
        self._pooled = settings.size if settings.shape == "pooled" else 1
        hidden = (settings.size,) if settings.shape == "bottleneck" else ()
        self.groups = nn.ModuleList()
        self._tasks = net.graph.tasks
        for mains in net.tower_groups:
            assert isinstance(mains, TowerGroup)
            in_width = -(-mains.weights[0].shape[2] // self._pooled)
            outputs = mains.weights[-1].shape[3]
            small = [
                Tower(task=f"small.{task}", reads=reads, hidden=hidden, outputs=outputs)
                for task, reads in zip(mains.tasks, mains.reads, strict=True)
            ]
            group = TowerGroup(small, in_width, initial, starts={})
            group.biases[-1].detach().copy_(mains.biases[-1].detach())  # they start at the same rates
            self.groups.append(group)

    def forward(self, net: Supernet, mixed: Activations) -> tuple[Tensor, ...]:
        """Outputs ``[K, B, O_t]`` of every task's small tower, in the graph's order."""
        outputs: dict[str, Tensor] = {}
        for mains, group in zip(net.tower_groups, self.groups, strict=True):
            assert isinstance(mains, TowerGroup)
            x_KNBW = self._pool(net.tower_inputs(mixed, mains))
            outputs |= dict(zip(mains.tasks, group(x_KNBW).unbind(1), strict=True))
        return tuple(outputs[task] for task in self._tasks)

    def _pool(self, x_KNBW: Tensor) -> Tensor:
        """Means of neighbouring units; the last group may be smaller."""
        if self._pooled == 1:
            return x_KNBW
        pooled: Tensor = functional.avg_pool1d(x_KNBW.flatten(0, 1), self._pooled, ceil_mode=True)
        return pooled.view(*x_KNBW.shape[:3], -1)
