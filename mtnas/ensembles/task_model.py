"""Models of one task that are no networks, by their kind; each is tensors over the same matrix of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mtnas.ensembles.forest import Forest
from mtnas.ensembles.linear import Linear

Kind = Literal["boosted_trees", "linear"]
"""Also the label of their row in the report, and their name as members."""

TaskModel = Forest | Linear

KINDS: Mapping[Kind, type[Forest] | type[Linear]] = {"boosted_trees": Forest, "linear": Linear}
