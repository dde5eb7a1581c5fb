"""DSelect-k: at most k sources, chosen by smooth-step binary codes (Hazimeh et al., NeurIPS 2021,
https://arxiv.org/abs/2106.03760, eq. 3-5; METHODS.md section 6).

Legend: K pack, J junctions, N sources, B batch, S selectors, M bits of a code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtnas.routes.nodes import INPUT_QUERY, STATIC_QUERY, code_length
from mtnas.supernets.gates.gate import Gate, Gated, Mixing
from mtnas.supernets.initial import Initial

CODE_BOUND = 0.01
WEIGHT_BOUND = 0.05


class DSelectGate(Gate):
    """S selectors, each a weight and a binary code that names one source once its bits have settled.

    Static junctions keep weights and codes as free numbers; others map them linearly from the query, per example.
    Values are exactly sparse once every code has left (-gamma/2, gamma/2). They sum to 1 when N is a power of two,
    else to 1 minus the mass of codes that name no source. Penalties: ``dselect_entropy``, the entropy of every
    selector of every junction, and ``dselect_mass``, for N that is no power of two, the sum over selectors of
    1 / (mass on sources).
    """

    def __init__(
        self,
        names: Sequence[str],
        queries: Sequence[tuple[str, ...]],
        query_width: int,
        *,
        num_sources: int,
        selectors: int,
        initial: Initial,
    ) -> None:
        super().__init__()
        self.queries = tuple(queries)
        self.is_static = queries[0][0] == STATIC_QUERY
        bits = code_length(num_sources)
        self.num_sources, self.selectors = num_sources, selectors
        codes = initial.uniform([f"{n}/codes" for n in names], (selectors * bits,), CODE_BOUND)
        shares = initial.uniform([f"{n}/shares" for n in names], (selectors,), WEIGHT_BOUND)
        self.biases = nn.Parameter(torch.cat((shares, codes), dim=-1))
        if not self.is_static:
            numbers = selectors * (1 + bits)
            scale = CODE_BOUND / max(query_width, 1) ** 0.5
            self.weights = nn.Parameter(initial.uniform([f"{n}/map" for n in names], (query_width, numbers), scale))
        of_source = torch.tensor([[(n >> bit) & 1 for bit in range(bits)] for n in range(num_sources)])
        self.register_buffer("bits_NM", of_source.bool(), persistent=False)

    def forward(self, mixing: Mixing) -> Gated:
        """Sum over selectors of softmax(shares) * r(codes)."""
        numbers_KJXB = self.biases.unsqueeze(-1)
        if not self.is_static:
            numbers_KJXB = numbers_KJXB + mixing.product(0, self.queries[0][0], self.weights)
        K, J, _, B = numbers_KJXB.shape
        shares_KJSB = numbers_KJXB[:, :, : self.selectors]
        codes_KJSMB = numbers_KJXB[:, :, self.selectors :].reshape(K, J, self.selectors, -1, B)
        in_use = self._in_use(mixing, shares_KJSB)
        shares_KJSB = shares_KJSB.masked_fill(in_use == 0, -torch.inf).softmax(2)
        width = mixing.selection.setting("smooth_step", 4)
        r_KJSNB = self._masses(smooth_step(codes_KJSMB, width))
        values = (shares_KJSB.unsqueeze(3) * r_KJSNB).sum(2) * mixing.edges
        return Gated(values=values, penalties=self._penalties(r_KJSNB, in_use))

    def per_source(self, name: str) -> bool:
        """See ``Gate``: codes address the sources."""
        return False

    def input_maps(self) -> Sequence[Tensor]:
        """See ``Gate``."""
        return [self.weights] if self.queries[0][0] == INPUT_QUERY else []

    def of_junction(self, index: int, candidate: int) -> dict[str, Tensor]:
        """See ``Gate``."""
        found = {"bias": self.biases[candidate, index]}
        return found if self.is_static else found | {"weight": self.weights[candidate, index]}

    def _in_use(self, mixing: Mixing, shares_KJSB: Tensor) -> Tensor:
        """1 for the first k selectors, ``[K or 1, 1, S, 1]``."""
        k = mixing.selection.setting("k", 3)
        rank = torch.arange(self.selectors, device=shares_KJSB.device).view(1, 1, -1, 1)
        return ((rank < k) | (k < 1)).to(shares_KJSB.dtype)

    def _masses(self, on_KJSMB: Tensor) -> Tensor:
        """r(z) ``[K, J, S, N, B]``: the product over bits of S(z) where the source's bit is 1, else of 1 - S(z)."""
        bits_NM1 = self.bits_NM.unsqueeze(-1)  # type: ignore[operator]
        on = on_KJSMB.unsqueeze(3)
        return torch.where(bits_NM1, on, 1 - on).prod(4)

    def _penalties(self, r_KJSNB: Tensor, in_use: Tensor) -> dict[str, Tensor]:
        entropy = -torch.xlogy(r_KJSNB, r_KJSNB.clamp(min=1e-30)).sum(3)
        found = {"dselect_entropy": ((entropy * in_use).sum(2)).mean(-1)}
        if self.num_sources & (self.num_sources - 1):
            mass = r_KJSNB.sum(3).clamp(min=1e-6)
            found["dselect_mass"] = ((1 / mass) * in_use).sum(2).mean(-1)
        return {name: term.unsqueeze(1) for name, term in found.items()}


def smooth_step(t: Tensor, width: Tensor | float) -> Tensor:
    """0 up to -width/2, 1 from width/2, between them -2 t^3 / width^3 + 3 t / (2 width) + 1/2."""
    x = (t / width).clamp(-0.5, 0.5)
    return -2 * x**3 + 1.5 * x + 0.5
