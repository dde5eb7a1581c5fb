"""Networks of several routes, trees and linear models that answer as one. Needs torch only.

Networks of one route are computed together, with their weights stacked. Probabilities are averaged, and so are values
of regressions; shares differ by task.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

CODES = 256


class Ensemble(nn.Module):
    """All members, and who is heard for which task.

    Args:
        plan: what ``ensemble.json`` holds.
        routes: the class of each route.
        tensors: what ``model.safetensors`` holds: weights of routes with a leading axis of members, and those of
            models of one task.
    """

    def __init__(self, plan: Mapping[str, Any], routes: Sequence[type[nn.Module]], tensors: Mapping[str, Tensor]):
        super().__init__()
        self.tasks = [(task["name"], task["kind"]) for task in plan["tasks"]]
        self.routes = nn.ModuleList(
            Stack(route(), _below(tensors, f"route_{number}/")) for number, route in enumerate(routes, 1)
        )
        self.places = [task["models"] for task in plan["tasks"]]
        self.models = nn.ModuleList(
            KINDS[found["kind"]](found, plan["bags"], _below(tensors, f"model_{place}/"))
            for place, found in enumerate(plan["models"])
        )
        for number, task in enumerate(plan["tasks"]):
            self.register_buffer(f"shares_{number}", torch.tensor(task["shares"], dtype=torch.float32))

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Outputs per task, [B, outputs]: logits of the mean probability, or the mean value of a regression."""
        of_routes = [route(inputs) for route in self.routes]
        outputs = {}
        for number, ((name, kind), places) in enumerate(zip(self.tasks, self.places, strict=True)):
            members = [found[name] for found in of_routes]
            for place in places:
                said = self.models[place](inputs).unsqueeze(0)
                members.append(said.to(members[0].dtype) if members else said)
            outputs[name] = averaged(kind, torch.cat(members), getattr(self, f"shares_{number}"))
        return outputs

    def member(self, route: int, place: int) -> nn.Module:
        """One network by itself: the ``place``-th of the ``route``-th route, both counted from 0."""
        stack = self.routes[route]
        assert isinstance(stack, Stack)
        return stack.alone(place)

    def tensors(self, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
        """Encoded rows as arguments of ``forward``, on the module's device and in its precision."""
        like = next(self.parameters(), None)
        dtype = torch.float32 if like is None else like.dtype
        device = next(self.buffers()).device
        found = {name: torch.as_tensor(array, device=device) for name, array in inputs.items()}
        return {name: x.to(dtype) if x.is_floating_point() else x for name, x in found.items()}


class Stack(nn.Module):
    """Networks of one route, each with its own weights ``[K, ...]``."""

    def __init__(self, network: nn.Module, weights: Mapping[str, Tensor]):
        super().__init__()
        self.names = sorted(weights)
        self.weights = nn.ParameterList(nn.Parameter(weights[name]) for name in self.names)
        self._network = [network.eval()]  # in a list, so that its own weights are no parameters of this module

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs per task, [K, B, outputs]."""
        weights = dict(zip(self.names, self.weights, strict=True))

        def one(own: dict[str, Tensor]) -> Any:
            return functional_call(self._network[0], own, (), dict(inputs))

        recurrent = any(isinstance(module, nn.RNNBase) for module in self._network[0].modules())
        if recurrent or torch.compiler.is_exporting():
            # Recurrent cells have no batched form, and vmap fixes the number of rows in an exported program.
            members = [one({name: own[place] for name, own in weights.items()}) for place in range(self.count)]
            return {task: torch.stack([found[task] for found in members]) for task in members[0]}
        found: dict[str, Tensor] = vmap(one)(weights)
        return found

    @property
    def count(self) -> int:
        """How many networks there are."""
        return len(self.weights[0])

    def alone(self, place: int) -> nn.Module:
        """One of the networks."""
        network = copy.deepcopy(self._network[0])
        own = {name: w[place].detach().clone() for name, w in zip(self.names, self.weights, strict=True)}
        network.load_state_dict(own, assign=True)
        return network


class TaskModel(nn.Module):
    """A model of one task over one matrix of the inputs: codes, numbers, which frequent elements a bag holds."""

    def __init__(self, plan: Mapping[str, Any], bags: Sequence[str], tensors: Mapping[str, Tensor]):
        super().__init__()
        self.num_categorical = plan["num_categorical"]
        self.bags, self.num_elements = bags, [len(found) for found in plan["elements"]]
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)
        for number, found in enumerate(plan["elements"]):
            self.register_buffer(f"elements_{number}", torch.tensor(found, dtype=torch.int64))

    def matrix(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Float32 [B, columns]."""
        columns = []
        if self.num_categorical:
            columns.append(inputs["categorical"][:, : self.num_categorical].float())
        if "numeric" in inputs:
            columns.append(inputs["numeric"].float())
        for number, (bag, count) in enumerate(zip(self.bags, self.num_elements, strict=True)):
            rows = inputs[bag]
            if count:
                columns.append((rows.unsqueeze(2) == getattr(self, f"elements_{number}")).any(dim=1).float())
            columns.append((rows >= 0).sum(dim=1, keepdim=True).float())
        return torch.cat(columns, dim=1)


class Trees(TaskModel):
    """Boosted trees as tables of nodes, walked level by level; a leaf leads to itself."""

    def __init__(self, plan: Mapping[str, Any], bags: Sequence[str], tensors: Mapping[str, Tensor]):
        super().__init__(plan, bags, tensors)
        self.depth = plan["depth"]

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Float32 [B, outputs]: logits, or values."""
        matrix, tables = self.matrix(inputs), dict(self.named_buffers())
        node = tables["roots"].expand(matrix.shape[0], -1)
        for _ in range(self.depth):
            asked = matrix.gather(1, tables["feature"][node])
            goes_left = asked <= tables["threshold"][node]
            if len(tables["sets"]):
                of_set = tables["members"][node]
                inside = tables["sets"][of_set.clamp(min=0), asked.long().clamp(0, CODES - 1)]
                goes_left = (of_set >= 0) & inside | (of_set < 0) & goes_left  # ONNX Runtime chooses no booleans
            node = torch.where(goes_left, tables["left"][node], tables["right"][node])
        outputs = tables["baseline"].repeat(matrix.shape[0], 1)
        return outputs.index_add(1, tables["output_of"], tables["value"][node]).float()


class Linear(TaskModel):
    """A value for every category, a weight for every other column; unknown codes count as the first category."""

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Float32 [B, outputs]: logits, or values."""
        matrix, tables = self.matrix(inputs), dict(self.named_buffers())
        codes = matrix[:, : self.num_categorical].long()
        known = torch.where(codes < tables["sizes"], codes, 0) + tables["first"]
        numbers = matrix[:, self.num_categorical :].double()
        return (tables["table"][known].sum(1) + numbers @ tables["weight"] + tables["bias"]).float()


KINDS: Mapping[str, type[TaskModel]] = {"boosted_trees": Trees, "linear": Linear}


def averaged(kind: str, members: Tensor, shares: Tensor) -> Tensor:
    """The mean of members' probabilities as logits, or of their values. ``members``: [members, B, outputs]."""
    weights = shares.to(members.dtype)[:, None, None]
    if kind == "regression":
        return (members * weights).sum(dim=0)
    if kind == "multiclass":
        return (functional.log_softmax(members, dim=-1) + weights.log()).logsumexp(dim=0)
    yes = (functional.logsigmoid(members) + weights.log()).logsumexp(dim=0)
    return yes - (functional.logsigmoid(-members) + weights.log()).logsumexp(dim=0)


def _below(tensors: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
