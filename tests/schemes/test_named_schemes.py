"""Every named route equals its scheme written out from the paper's equations: outputs and gradients, both types."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtnas.routes import NAMED_ROUTES, Tower
from mtnas.routes.schemes.by_name import Size
from mtnas.supernets.banks.towers import product_logit
from tests.schemes.parts import TASKS, Parts, assert_same, parts

SIZE = Size(layers=2, experts=4, width=5)
WIDE = Size(layers=3, experts=8, width=4)


def weighted(weights: Tensor, vectors: list[Tensor]) -> Tensor:
    """sum_i w_i v_i."""
    total = torch.zeros_like(vectors[0])
    for i, vector in enumerate(vectors):
        total = total + weights[..., i : i + 1] * vector
    return total


def single_task(p: Parts) -> list[Tensor]:
    return [p.tower(task, p.block(f"own.{task}", p.x)) for task in TASKS]


def shared_bottom(p: Parts) -> list[Tensor]:
    h = p.block("bottom", p.x)
    return [p.tower(task, h) for task in TASKS]


def mmoe(p: Parts) -> list[Tensor]:
    experts = [p.block(slot.name, p.x) for slot in p.named.graph.slots]
    return [p.tower(task, weighted(p.softmax(f"to.{task}", p.x), experts)) for task in TASKS]


def ml_mmoe(p: Parts) -> list[Tensor]:
    layers = p.named.graph.num_layers
    names = [[slot.name for slot in p.named.graph.slots if slot.layer == layer + 1] for layer in range(layers)]
    h = [p.block(name, p.x) for name in names[0]]
    for layer in names[1:]:
        h = [p.block(name, weighted(p.softmax(f"to.{name}", p.x), h)) for name in layer]
    return [p.tower(task, weighted(p.softmax(f"to.{task}", p.x), h)) for task in TASKS]


def cross_stitch(p: Parts) -> list[Tensor]:
    layers = p.named.graph.num_layers
    x = dict.fromkeys(TASKS, p.x)
    for layer in range(1, layers + 1):
        h = {task: p.block(f"own.{layer}.{task}", x[task]) for task in TASKS}
        for task in TASKS:
            alpha = p.gate(f"stitch.{layer}.{task}" if layer < layers else f"to.{task}")["values"]
            x[task] = sum((alpha[i] * h[other] for i, other in enumerate(TASKS)), torch.zeros(()))
    return [p.tower(task, x[task]) for task in TASKS]


def cgc(p: Parts) -> list[Tensor]:
    shared = [p.block(f"shared.{i}", p.x) for i in range(_count(p, "shared."))]
    outputs = []
    for task in TASKS:
        own = [p.block(f"own.{task}.{i}", p.x) for i in range(_count(p, f"own.{task}."))]
        outputs.append(p.tower(task, weighted(p.softmax(f"to.{task}", p.x), [*own, *shared])))
    return outputs


def ple(p: Parts) -> list[Tensor]:
    levels = p.named.graph.num_layers
    fused, query = dict.fromkeys((*TASKS, "shared"), p.x), dict.fromkeys((*TASKS, "shared"), p.x)
    for level in range(1, levels + 1):
        experts = {
            stream: [
                p.block(f"{_stream(stream)}.{level}.{i}", fused[stream])
                for i in range(_count(p, f"{_stream(stream)}.{level}."))
            ]
            for stream in (*TASKS, "shared")
        }
        for task in TASKS:
            gate = f"to.{task}" if level == levels else f"fused.own.{task}.{level}"
            fused[task] = weighted(p.softmax(gate, query[task]), [*experts[task], *experts["shared"]])
        if level < levels:
            everything = [expert for task in TASKS for expert in experts[task]] + experts["shared"]
            fused["shared"] = weighted(p.softmax(f"fused.shared.{level}", query["shared"]), everything)
        query = dict(fused)
    return [p.tower(task, fused[task]) for task in TASKS]


def adatt(p: Parts) -> list[Tensor]:
    levels = p.named.graph.num_layers // 2
    f = dict.fromkeys(TASKS, p.x)
    for level in range(1, levels + 1):
        experts = {
            task: [p.block(f"expert.{level}.{task}.{i}", f[task]) for i in range(_count(p, f"expert.{level}.{task}."))]
            for task in TASKS
        }
        everything = [expert for task in TASKS for expert in experts[task]]
        new = {}
        for task in TASKS:
            fusion = weighted(p.softmax(f"all.{level}.{task}", f[task]), everything)
            own = experts[task]
            native = weighted(p.gate(f"combine.{level}.{task}")["values"], own) if len(own) > 1 else own[0]
            new[task] = fusion + native
        f = new
    return [p.tower(task, f[task]) for task in TASKS]


def stem(p: Parts) -> list[Tensor]:
    e = {task: p.encoded(f"x.{task}") for task in TASKS}
    shared = [p.block(f"shared.{i}", p.x) for i in range(_count(p, "shared."))]
    own = {task: [p.block(f"own.{task}.{i}", e[task]) for i in range(_count(p, f"own.{task}."))] for task in TASKS}
    outputs = []
    for task in TASKS:
        stopped = [expert.detach() for other in TASKS if other != task for expert in own[other]]
        gate = p.softmax(f"to.{task}", e[task] + p.x)
        outputs.append(p.tower(task, weighted(gate, [*own[task], *shared, *stopped])))
    return outputs


def aitm(p: Parts) -> list[Tensor]:
    z = p.block("own.a", p.x)
    outputs = [p.tower("a", z)]
    for task in TASKS[1:]:
        candidates = [p.block(f"hand.{task}", z), p.block(f"own.{task}", p.x)]
        gate = p.gate(f"attend.{task}")
        scores = [((u @ gate["keys"]) * (u @ gate["asks"])).sum(1, keepdim=True) for u in candidates]
        weights = (torch.cat(scores, 1) / candidates[0].shape[1] ** 0.5).softmax(1)
        z = weighted(weights, [p.block(f"value.{task}", u) for u in candidates])
        outputs.append(p.tower(task, z))
    return outputs


def esmm(p: Parts) -> list[Tensor]:
    product = torch.ones(())
    outputs = []
    for logit in single_task(p):
        product = product * logit.sigmoid()
        outputs.append(torch.log(product) - torch.log1p(-product))
    return outputs


def dselect_k(p: Parts) -> list[Tensor]:
    experts = [p.block(slot.name, p.x) for slot in p.named.graph.slots]
    bits = (len(experts) - 1).bit_length()
    outputs = []
    for task in TASKS:
        gate = p.gate(f"to.{task}")
        numbers = p.x @ gate["weight"] + gate["bias"]
        w, z = numbers[:, :2].softmax(1), numbers[:, 2:].view(-1, 2, bits)
        on = torch.where(z <= -0.5, 0.0, torch.where(z >= 0.5, 1.0, -2 * z**3 + 1.5 * z + 0.5))
        q = [
            sum(
                w[:, s] * torch.stack([on[:, s, j] if (i >> j) & 1 else 1 - on[:, s, j] for j in range(bits)]).prod(0)
                for s in range(2)
            )
            for i in range(len(experts))
        ]
        outputs.append(p.tower(task, weighted(torch.stack(q, 1), experts)))
    return outputs


def controller(p: Parts) -> list[Tensor]:
    """One expert per row, the one with the highest logit; the gradient is the softmax's."""
    experts = [p.block(slot.name, p.x) for slot in p.named.graph.slots]
    outputs = []
    for task in TASKS:
        gate = p.gate(f"to.{task}")
        logits = (p.x @ gate["down"]) @ gate["up"] + gate["bias"]
        soft = logits.softmax(1)
        chosen = torch.nn.functional.one_hot(logits.argmax(1), len(experts))
        outputs.append(p.tower(task, weighted(chosen + soft - soft.detach(), experts)))
    return outputs


WRITTEN_OUT = {
    "single_task": single_task,
    "shared_bottom": shared_bottom,
    "mmoe": mmoe,
    "full_sharing": ml_mmoe,
    "ml_mmoe": ml_mmoe,
    "cross_stitch": cross_stitch,
    "cgc": cgc,
    "ple": ple,
    "adatt": adatt,
    "stem": stem,
    "aitm": aitm,
    "esmm": esmm,
    "dselect_k": dselect_k,
    "controller": controller,
}


def test_every_named_route_is_written_out() -> None:
    assert set(WRITTEN_OUT) == set(NAMED_ROUTES)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("size", [SIZE, WIDE], ids=["small", "wide"])
@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_named_route_equals_its_equations(name: str, size: Size, dtype: torch.dtype) -> None:
    assert_same(parts(name, size, dtype=dtype), WRITTEN_OUT[name])


def test_stem_hands_no_gradient_to_the_experts_of_other_tasks() -> None:
    p = parts("stem", SIZE)
    foreign = torch.autograd.grad(stem(p)[0].sum(), list(p.net.more_encoders["x/b"].parameters()), allow_unused=True)
    assert all(gradient is None or not gradient.any() for gradient in foreign)


def test_product_of_tiny_probabilities_stays_finite() -> None:
    for first in (-1e4, -50.0, 0.0, 50.0, 1e4):
        a = torch.tensor(first, dtype=torch.float64, requires_grad=True)
        b = torch.tensor(-80.0, dtype=torch.float64, requires_grad=True)
        found = product_logit(a, b)
        found.backward()  # type: ignore[no-untyped-call]
        assert found.isfinite()
        assert a.grad is not None
        assert b.grad is not None
        assert a.grad.isfinite()
        assert b.grad.isfinite()


def test_esmm_leaves_tasks_with_several_outputs_alone() -> None:
    towers = (Tower(task="a", reads=""), Tower(task="b", reads="", outputs=3), Tower(task="c", reads=""))
    chain = {tower.task: tower.product_of for tower in NAMED_ROUTES["esmm"](towers, SIZE).graph.towers}
    assert chain == {"a": None, "b": None, "c": "a"}


def _count(p: Parts, prefix: str) -> int:
    return sum(slot.name.startswith(prefix) for slot in p.named.graph.slots)


def _stream(stream: str) -> str:
    return stream if stream == "shared" else f"own.{stream}"
