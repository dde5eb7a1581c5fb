"""AdamW for a pack: every candidate with its own learning rate, weight decay and step, in one pass over memory.

Legend: K pack, P elements of one candidate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtnas.errors import TrainingError
from mtnas.training.step.flat import FlatParameters
from mtnas.training.step.orthogonal import OrthogonalMomentum

_Range = tuple[int, float, tuple[list[Tensor], ...]]
"""A candidate, its weight decay, and stretches of weights, gradients, momentum and variance."""


class PackAdamW:
    """AdamW over flat buffers (Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101, algorithm 2).

    Each candidate is stepped as ``torch.optim.AdamW`` would step it alone. Weight decay leaves out what
    ``flat.is_decayed`` leaves out. The buffer's ``matrices``, if it has any, are stepped by Muon instead.

    On the CPU the library's fused kernel runs on each candidate's two contiguous ranges (decayed or not); elsewhere
    the formula runs over whole buffers, so that kernel launches do not grow with K.
    Measured interleaved on one CPU thread, us a step at P = 100k / 300k / 1M, K = 1 and K = 8: this 60 / 158 / 609 and
    496 / 1,504 / 4,880; library fused AdamW on 24 tensors 224 / 417 / 1,071 and 722 / 1,688 / 5,173; its default 919 /
    1,341 / 2,776 and 1,801 / 4,835 / 15,564; whole buffers 190 / 443 / 1,981 and 1,215 / 4,400 / 16,828; chunks that
    stay in cache were no faster than whole buffers.
    """

    def __init__(
        self,
        flat: FlatParameters,
        *,
        lr: Sequence[float],
        weight_decay: Sequence[float],
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        max_norm: Sequence[float] | None = None,
    ) -> None:
        """Start with moments of zero.

        Args:
            flat: the parameters to train.
            lr: one peak learning rate per candidate.
            weight_decay: one decoupled weight decay per candidate.
            betas: decay rates of the moments.
            eps: added to the root of the second moment.
            max_norm: one bound per candidate on the Euclidean norm of its gradient; ``None`` does not clip.

        Raises:
            TrainingError: not one setting per candidate.
        """
        for name, values in (("lr", lr), ("weight_decay", weight_decay), ("max_norm", max_norm)):
            if values is not None and len(values) != flat.num_candidates:
                raise TrainingError(
                    expected=f"{flat.num_candidates} values, one per candidate",
                    found=f"{len(values)}",
                    where=f"optimiser, {name}",
                )
        self._flat = flat
        self._betas = betas
        self._eps = eps
        self._momentum = torch.zeros_like(flat.weights)
        self._variance = torch.zeros_like(flat.weights)
        device, dtype = flat.weights.device, flat.weights.dtype
        self._steps = torch.zeros(flat.num_candidates, device=device)  # float32: the fused kernel's type
        self._max_norms_K1 = None if max_norm is None else torch.tensor(max_norm, dtype=dtype, device=device)[:, None]
        self._lr = list(lr)
        self._lr_K = torch.tensor(lr, dtype=torch.float64, device=device)
        self._weight_decay_K = torch.tensor(weight_decay, dtype=torch.float64, device=device)
        self._betas_2 = torch.tensor(betas, dtype=torch.float64, device=device)[:, None]
        self._ranges = self._ranges_of(weight_decay)
        self._matrices = OrthogonalMomentum(flat, self._momentum) if flat.matrices else None

    @torch.no_grad()
    def step(self, lr_factor: Tensor | float = 1.0) -> None:
        """Clip, then move every weight once.

        Args:
            lr_factor: multiplies every candidate's learning rate. A tensor of one element on the weights' device lets
                a captured CUDA graph read each step's factor.
        """
        if self._max_norms_K1 is not None:
            norms_K1 = torch.linalg.vector_norm(self._flat.grads, dim=1, keepdim=True)
            self._flat.grads.mul_((self._max_norms_K1 / (norms_K1 + 1e-6)).clamp_(max=1.0))
        self._steps.add_(1.0)
        if self._matrices is not None:
            self._matrices.step(self._lr_K * lr_factor, self._weight_decay_K)
        if self._flat.weights.is_cpu:
            self._step_fused(float(lr_factor))
        else:
            self._step_whole(lr_factor)

    def moments(self, parameter: nn.Parameter) -> tuple[Tensor, Tensor]:
        """First and second moments ``[K, ...]`` of one of the flat buffers' parameters, as views."""
        slot = next(slot for slot, own in zip(self._flat.slots, self._flat.parameters, strict=True) if own is parameter)
        return self._flat.part(slot, self._momentum), self._flat.part(slot, self._variance)

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of the weights, the moments and the steps: all that changes while training."""
        return {name: tensor.clone() for name, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on exactly from :meth:`state_dict` of a pack of the same module and K.

        Raises:
            TrainingError: other names, shapes or types.
        """
        own = self._state()
        found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in state.items()}
        expected = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in own.items()}
        if found != expected:
            raise TrainingError(expected=str(expected), found=str(found), where="optimiser state")
        for name, tensor in own.items():
            tensor.copy_(state[name])

    def _state(self) -> dict[str, Tensor]:
        return {
            "weights": self._flat.weights,
            "momentum": self._momentum,
            "variance": self._variance,
            "steps": self._steps,
        }

    def _ranges_of(self, weight_decay: Sequence[float]) -> list[_Range]:
        flat = self._flat
        buffers = (flat.weights, flat.grads, self._momentum, self._variance)
        ranges = ((flat.num_in_matrices, flat.num_decayed, True), (flat.num_decayed, flat.weights.shape[1], False))
        return [
            (
                candidate,
                weight_decay[candidate] if decayed else 0.0,
                tuple([buffer[candidate, begin:end]] for buffer in buffers),
            )
            for candidate in range(flat.num_candidates)
            for begin, end, decayed in ranges
            if begin < end
        ]

    def _step_fused(self, lr_factor: float) -> None:
        steps = self._steps.unbind(0)
        for candidate, decay, (weights, grads, momentum, variance) in self._ranges:
            torch._fused_adamw_(
                weights,
                grads,
                momentum,
                variance,
                [],
                [steps[candidate]],
                lr=self._lr[candidate] * lr_factor,
                beta1=self._betas[0],
                beta2=self._betas[1],
                weight_decay=decay,
                eps=self._eps,
                amsgrad=False,
                maximize=False,
            )

    def _step_whole(self, lr_factor: Tensor | float) -> None:
        begin, dtype = self._flat.num_in_matrices, self._flat.weights.dtype
        weights, grads = self._flat.weights[:, begin:], self._flat.grads[:, begin:]
        momentum, variance = self._momentum[:, begin:], self._variance[:, begin:]
        beta_1, beta_2 = self._betas
        lr_K = self._lr_K * lr_factor
        correction_1_K, correction_2_K = (1.0 - self._betas_2**self._steps).unbind(0)
        kept_K1 = (1.0 - lr_K * self._weight_decay_K).to(dtype)[:, None]
        step_size_K1 = (lr_K / correction_1_K).to(dtype)[:, None]
        root_K1 = correction_2_K.rsqrt().to(dtype)[:, None]

        weights[:, : self._flat.num_decayed - begin].mul_(kept_K1)
        momentum.lerp_(grads, 1.0 - beta_1)
        variance.mul_(beta_2).addcmul_(grads, grads, value=1.0 - beta_2)
        denominators = variance.sqrt().mul_(root_K1).add_(self._eps)
        weights.addcmul_(torch.div(momentum, denominators, out=denominators), step_size_K1, value=-1.0)
