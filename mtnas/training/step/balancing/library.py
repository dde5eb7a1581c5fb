"""Gradient aggregators of the library TorchJD, one per candidate of a pack, on the Gram matrix of its task gradients.

Legend: K pack, T tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torchjd.aggregation import (
    CAGradWeighting,
    DualProjWeighting,
    FairGradWeighting,
    GradVacWeighting,
    MGDAWeighting,
    NashMTL,
    PCGradWeighting,
    UPGradWeighting,
)
from torchjd.linalg import QuadprogProjector

from mtnas.training.seeds import derived_seed
from mtnas.training.step.balancing.balancer import GramBalancer, PackShape, everyone
from mtnas.training_options import (
    CaGradBalancer,
    DualProjBalancer,
    FairGradBalancer,
    GradVacBalancer,
    MgdaBalancer,
    NashBalancer,
    PcGradBalancer,
    UpGradBalancer,
)

LibrarySpec = (
    UpGradBalancer
    | DualProjBalancer
    | MgdaBalancer
    | PcGradBalancer
    | CaGradBalancer
    | NashBalancer
    | GradVacBalancer
    | FairGradBalancer
)

Weigh = Callable[[Tensor], Tensor]


class LibraryBalancer(GramBalancer):
    """One weighting of the library per candidate; the loop over K costs small matrices only, but on the CPU.

    Methods that weigh the mean of the gradients are multiplied by T, so that without a conflict they give about what
    equal weights give. Random orders (PCGrad, GradVac) depend on (seed, step) alone.
    """

    def __init__(self, shape: PackShape, settings: LibrarySpec) -> None:
        self._seeds = shape.seeds
        num_tasks = len(shape.tasks)
        self._averages = not isinstance(settings, PcGradBalancer | GradVacBalancer | NashBalancer)
        self._memories: list[_Memory] = []
        self._weighings = [self._weighing(settings, num_tasks) for _ in shape.seeds]

    def weights(self, gram_KTT: Tensor, losses_KT: Tensor, step: int, present_KT: Tensor | None = None) -> Tensor:
        """Weights ``[K, T]``; a candidate whose gradients vanish, or a lone task, has weights 1."""
        grams, present = gram_KTT.double().cpu(), everyone(losses_KT, present_KT).cpu()
        rows = []
        for k, (seed, gram) in enumerate(zip(self._seeds, grams, strict=True)):
            row, there = torch.ones(len(gram), dtype=torch.float64), present[k].nonzero().flatten()
            if len(there) > 1 and gram.diagonal()[there].sum() > 0:
                with _drawing_from(derived_seed("balancer", seed, step)):
                    row[there] = (float(len(there)) if self._averages else 1.0) * self._weighed(k, gram, there)
            rows.append(row)
        return torch.stack(rows).to(losses_KT.device, losses_KT.dtype)

    def _weighed(self, k: int, gram: Tensor, there: Tensor) -> Tensor:
        """Weights of the tasks that are there."""
        if len(there) == len(gram):
            return self._weighings[k](gram)
        some = gram[there][:, there]
        return self._memories[k].weigh_some(some, there) if self._memories else self._weighings[k](some)

    def state(self) -> dict[str, Tensor]:
        """What stateful weightings remember, ``[K, ...]`` by name."""
        memories = [memory.read() for memory in self._memories]
        return {name: torch.stack([memory[name] for memory in memories]) for name in (memories[0] if memories else ())}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of the same pack."""
        for k, memory in enumerate(self._memories):
            memory.write({name: values[k] for name, values in state.items()})

    def _weighing(self, settings: LibrarySpec, num_tasks: int) -> Weigh:
        match settings:
            case UpGradBalancer():
                return _own_scale(UPGradWeighting(projector=QuadprogProjector(reg_eps=settings.regularisation)))
            case DualProjBalancer():
                return _own_scale(DualProjWeighting(projector=QuadprogProjector(reg_eps=settings.regularisation)))
            case MgdaBalancer():
                return _own_scale(MGDAWeighting(epsilon=settings.epsilon, max_iters=settings.max_iterations))
            case PcGradBalancer():
                return _own_scale(PCGradWeighting())
            case CaGradBalancer():
                return _own_scale(CAGradWeighting(c=settings.c))
            case FairGradBalancer():
                return _own_scale(FairGradWeighting(alpha=settings.alpha))
            case GradVacBalancer():
                vaccine = GradVacWeighting(beta=settings.beta)
                self._memories.append(_GradVacMemory(vaccine, num_tasks))
                return _own_scale(vaccine)
            case NashBalancer():
                nash = NashMTL(
                    n_tasks=num_tasks,
                    max_norm=settings.max_norm,
                    update_weights_every=settings.update_every,
                    optim_niter=settings.iterations,
                )
                self._memories.append(_NashMemory(nash))
                weighing: Weigh = nash.weighting
                return lambda gram: weighing(_root(gram))


def _own_scale(weighing: Weigh) -> Weigh:
    """Gradients of mean squared length 1: the library's small constants then mean the same at any scale of a loss."""
    return lambda gram: weighing(gram / gram.diagonal().mean())


def _root(gram_TT: Tensor) -> Tensor:
    """A matrix ``[T, T]`` whose rows have these inner products: as good as the gradients for what looks at no more."""
    lengths, vectors = torch.linalg.eigh(gram_TT)
    root: Tensor = vectors * lengths.clamp(min=0).sqrt()
    return root


@contextmanager
def _drawing_from(seed: int) -> Iterator[None]:
    """The library draws from torch's global generator; it gets a seed of ours and its old state back."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)


class _Memory:
    """State of one weighting that the library keeps in plain attributes."""

    def read(self) -> dict[str, Tensor]:
        raise NotImplementedError

    def write(self, state: Mapping[str, Tensor]) -> None:
        raise NotImplementedError

    def weigh_some(self, gram: Tensor, there: Tensor) -> Tensor:
        """Weights of some tasks by what is remembered of them, which then learns from their Gram matrix."""
        raise NotImplementedError


class _GradVacMemory(_Memory):
    def __init__(self, weighting: GradVacWeighting, num_tasks: int) -> None:
        self._weighting = weighting
        with _drawing_from(0):
            weighting(torch.eye(num_tasks, dtype=torch.float64))  # makes its cosines: those of the identity, 0

    def read(self) -> dict[str, Tensor]:
        return {"cosines": self._cosines().clone()}

    def write(self, state: Mapping[str, Tensor]) -> None:
        self._cosines().copy_(state["cosines"])

    def weigh_some(self, gram: Tensor, there: Tensor) -> Tensor:
        some = GradVacWeighting(beta=self._weighting.beta)
        memory = _GradVacMemory(some, len(there))
        memory.write({"cosines": self._cosines()[there][:, there]})
        weights = _own_scale(some)(gram)
        self._cosines()[there[:, None], there] = memory.read()["cosines"]
        return weights

    def _cosines(self) -> Tensor:
        return self._weighting.get_buffer("_phi_t")


class _NashMemory(_Memory):
    """The last solution, where the solver starts and which holds between updates."""

    def __init__(self, aggregator: NashMTL) -> None:
        self._weighting = aggregator.weighting

    def read(self) -> dict[str, Tensor]:
        return {
            "solution": torch.tensor(self._weighting.prvs_alpha, dtype=torch.float64),
            "calls": torch.tensor(self._weighting.step, dtype=torch.float64),
        }

    def write(self, state: Mapping[str, Tensor]) -> None:
        self._weighting.prvs_alpha = state["solution"].numpy().copy()
        if state["calls"] > 0:
            self._weighting._init_optim_problem()
        self._weighting.step = float(state["calls"])

    def weigh_some(self, gram: Tensor, there: Tensor) -> Tensor:
        own = self._weighting
        some = NashMTL(
            n_tasks=len(there),
            max_norm=own.max_norm,
            update_weights_every=own.update_weights_every,
            optim_niter=own.optim_niter,
        )
        memory, state = _NashMemory(some), self.read()
        memory.write(state | {"solution": state["solution"][there]})
        weights: Tensor = some.weighting(_root(gram))
        learnt = memory.read()
        state["solution"][there] = learnt["solution"]
        self.write(state | {"calls": learnt["calls"]})
        return weights
