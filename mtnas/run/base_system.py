"""The trained system that a job adds tasks to: weights, and how its inputs are encoded, as a finished job kept them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from mtnas.data import DataSchema
from mtnas.errors import NotFoundError
from mtnas.routes import Route, RouteGraph, narrow
from mtnas.run.journal import Journal
from mtnas.spec import BaseSpec
from mtnas.training.trained_network import Trained

ENCODING = "encoding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What stays as it is.

    Attributes:
        trained: the old tasks' network.
        encoding: how rows become its inputs, and the labels of its tasks.
    """

    trained: Trained
    encoding: DataSchema


def keep_encoding(journal: Journal, schema: DataSchema) -> None:
    """Beside the weights that a job keeps: how their inputs are encoded."""
    journal.save_checkpoint(ENCODING, json.dumps(schema.to_json()).encode())


def load_base(spec: BaseSpec, checkpoint: Callable[[str], bytes | None]) -> Base:
    """The system as its job left it.

    Args:
        spec: which route, and whose weights.
        checkpoint: the job's checkpoints by name.

    Raises:
        NotFoundError: the job has kept no such weights, or no encoding.
    """
    weights, encoding = checkpoint(f"weights/{spec.trial}"), checkpoint(ENCODING)
    if weights is None or encoding is None:
        missing = "weights" if weights is None else "encoding"
        raise NotFoundError(
            expected=f"a job that has kept weights of trial {spec.trial} and their encoding",
            found=f"no {missing}",
            where=f"job {spec.job}",
        )
    graph = narrow(RouteGraph.from_json(spec.graph), Route.parse(spec.route))
    return Base(trained=Trained(graph=graph, weights=weights), encoding=DataSchema.from_json(json.loads(encoding)))
