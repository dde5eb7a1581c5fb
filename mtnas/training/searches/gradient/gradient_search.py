"""Search by gradients over shared weights, K searches at once: weights on ``train``, architectures on ``search``.

The two alternate and never see each other's rows (METHODS.md section 9 lists the opposite among the defects of public
implementations). Architectures are judged by the tasks' losses in units of their running means, so that the weights of
a method's own terms mean the same on every data set.

Legend: K pack, T tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtnas.routes import Route
from mtnas.search.specs.gradient_specs import GradientSearch
from mtnas.supernets import Selection
from mtnas.training.feeding.rows import Batch
from mtnas.training.searches.gradient.architecture import Course
from mtnas.training.searches.gradient.methods import make_architecture
from mtnas.training.searches.limit_pressure import LimitPressure
from mtnas.training.searches.shared_supernet import Ground, RelativeLoss, SharedWeights, endless, equal_groups
from mtnas.training.searches.supernet_search import SupernetSearch
from mtnas.training.step.noise import Noise
from mtnas.training.step.optimiser import PackAdamW

_STEEPEST = 10.0  # bound on the norm of an architecture's gradient, against the odd sample of a nearly closed gate


class GradientSearcher(SupernetSearch):
    """K searches of one space in one pack by one method; they differ in seeds, settings and numbers."""

    def __init__(self, ground: Ground, searches: Sequence[GradientSearch]) -> None:
        """Build supernets and architectures.

        Args:
            ground: what to search on.
            searches: settings of the method, one per search; what is no number is the first's for all.

        Raises:
            SpaceError: a space without the choices that the method makes.
        """
        self.search, device = searches[0], ground.data.device
        self.architecture = make_architecture(ground.space, ground.inputs, searches, device, ground.dtype)
        weights = SharedWeights(ground, self.architecture.graph, takes=self.architecture.is_weight)
        super().__init__(ground.space, weights, self.search)
        self._flat = self.architecture.flat(weights)
        self._optimiser = PackAdamW(
            self._flat,
            lr=[s.lr for s in searches],
            weight_decay=[0.0] * len(searches),
            betas=(0.5, 0.99),
            max_norm=[_STEEPEST] * len(searches),
        )
        self._pressure = LimitPressure.of(self.space, device, ground.dtype)
        self._noise = Noise(seeds=weights.seeds, dropout=[0.0] * len(searches), device=device)
        self._held_out = weights.held_out(self.search.architecture_rows)
        self._rows = endless(self._held_out)
        self._relative = RelativeLoss(ground.tasks, len(searches), device, ground.dtype, aim=ground.aim)

    def sample(self, num_groups: int, *, step: int) -> Selection:
        """See ``SupernetSearch``."""
        return self.architecture.selection(self.weights.noise, num_groups, self._course(step))

    def search_step(self, step: int) -> None:
        """One step of the architecture, once the weights are warm."""
        if step >= self._warm and step % self.search.architecture_every == 0:
            self._architecture_step(next(self._rows), step)
        with torch.no_grad():
            self.architecture.advance(self._course(step + 1))

    @property
    def can_settle(self) -> bool:
        """As the method says."""
        return self.architecture.can_settle(self._course(self.step))

    def entropy(self) -> Tensor:
        """Of the architectures."""
        return self.architecture.entropy()

    def candidates(self, count: int) -> list[list[Route]]:
        """What the architectures stand for, then routes near it."""
        drawn = self.architecture.drawn(self.weights, count)
        return [[best, *others] for best, others in zip(self.architecture.best(self.weights), drawn, strict=True)]

    def in_supernet(self, route: Route) -> Route:
        """See ``SupernetSearch``."""
        return self.architecture.in_supernet(route)

    def own_state(self) -> dict[str, Tensor]:
        """See ``SupernetSearch``."""
        own = {f"architecture.{name}": tensor for name, tensor in self._optimiser.state_dict().items()}
        return own | {"scale": self._relative.scale_KT.clone()}

    def load_own_state(self, state: Mapping[str, Tensor]) -> None:
        """See ``SupernetSearch``."""
        prefix = "architecture."
        self._optimiser.load_state_dict({n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)})
        self._relative.scale_KT.copy_(state["scale"])
        taken = sum(1 for step in range(self._warm, self._step) if step % self.search.architecture_every == 0)
        self._rows = endless(self._held_out, first=taken)

    @property
    def _warm(self) -> int:
        """The step at which the architecture begins to learn."""
        return int(self.search.warmup * self.total_steps)

    def _course(self, step: int) -> Course:
        return Course(step=step, warm=self._warm, total_steps=self.total_steps)

    def _architecture_step(self, batch: Batch, step: int) -> None:
        course = self._course(step)
        self._noise.at_step(self.total_steps + step)  # draws of its own, apart from those of the weights
        num_groups = equal_groups(batch.num_rows, self.search.routes_per_step)
        selection = self.weights.told(self.architecture.selection(self._noise, num_groups, course))
        losses_KT, penalty = self.weights.objective.measure(batch, selection, self._noise)
        loss_K = self._relative(losses_KT.unsqueeze(1))[:, 0] + self.architecture.terms(course)
        expected = None if self._pressure is None else self.architecture.expected()
        if self._pressure is not None and expected is not None:
            loss_K = loss_K + self._pressure(expected)
        loss = loss_K.sum()
        self._flat.backward(loss if penalty is None else loss + penalty)
        self._optimiser.step()
        self.weights.charge(batch, backward=1)
