"""Settings that a sampled search varies beside routes: what a user may write in ``search.settings``, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from mtnas.data.data_spec import Part
from mtnas.data.lengths import AtMost, Name
from mtnas.search.specs.settings_space import (
    BALANCER,
    GATE,
    TASK_WEIGHT,
    Choice,
    LogUniform,
    SettingsPart,
    SettingsSpace,
)
from mtnas.training_options import BalancerSpec
from mtnas.trials import Settings


class GridChoice(Part):
    """Values to try; the best one wins."""

    grid: Annotated[tuple[float, ...], Field(min_length=1), AtMost(64)]

    def part(self, name: str) -> SettingsPart:
        """The setting of this name on the grid."""
        return Choice(name=name, values=self.grid)


class LogUniformRange(Part):
    """Any value between two positive bounds, ``[low, high]``, uniform in its logarithm."""

    log_uniform: tuple[float, float]

    def part(self, name: str) -> SettingsPart:
        """The setting of this name in the range."""
        low, high = self.log_uniform
        return LogUniform(name=name, low=low, high=high)


class BalancerChoice(Part):
    """Balancers to try, each with its own settings."""

    grid: Annotated[tuple[BalancerSpec, ...], Field(min_length=1), AtMost(64)]


def _form(value: object) -> str:
    is_range = isinstance(value, LogUniformRange) or (isinstance(value, Mapping) and "log_uniform" in value)
    return "range" if is_range else "values"


Searched = Annotated[
    Annotated[GridChoice, Tag("values")] | Annotated[LogUniformRange, Tag("range")], Discriminator(_form)
]


class SearchedSettings(Part):
    """What a search varies beside routes; what is not named is as ``training`` says.

    The learning rate varies over ``training.lr``, a grid that baselines are tuned on as well. ``gate`` and
    ``task_weights`` name settings of gates (``mtnas.routes.gate_settings``) and tasks; ``gamma`` weighs the small
    towers of ``training.auxiliary``. Finalists are trained with the settings that they were found with.
    """

    weight_decay: Searched | None = None
    dropout: Searched | None = None
    gamma: Searched | None = None
    gate: Annotated[dict[Name, Searched], AtMost(64)] = Field(default_factory=dict)
    task_weights: Annotated[dict[Name, Searched], AtMost(256)] = Field(default_factory=dict)
    balancer: BalancerChoice | None = None

    def space(self, fixed: Settings, *, lrs: Sequence[float]) -> SettingsSpace:
        """These settings and the learning rates around those that do not vary; a grid of one value does not either."""
        parts = (Choice(name="lr", values=tuple(lrs)), *self._parts())
        alone = tuple(part for part in parts if isinstance(part, Choice) and len(part.values) == 1)
        balancers = self._balancers()
        settled = SettingsSpace(fixed=fixed, parts=alone, balancers=balancers).of(tuple(p.values[0] for p in alone))
        varying = tuple(part for part in parts if part not in alone)
        return SettingsSpace(fixed=settled, parts=varying, balancers=balancers)

    def _parts(self) -> tuple[SettingsPart, ...]:
        named = {"weight_decay": self.weight_decay, "dropout": self.dropout, "gamma": self.gamma}
        searched = {name: found for name, found in named.items() if found is not None}
        searched |= {f"{GATE}{name}": found for name, found in self.gate.items()}
        searched |= {f"{TASK_WEIGHT}{name}": found for name, found in self.task_weights.items()}
        parts = tuple(found.part(name) for name, found in searched.items())
        if self.balancer is None:
            return parts
        numbers = tuple(float(number) for number in range(len(self.balancer.grid)))
        return (*parts, Choice(name=BALANCER, values=numbers))

    def _balancers(self) -> tuple[Mapping[str, Any], ...]:
        return () if self.balancer is None else tuple(b.model_dump(mode="json") for b in self.balancer.grid)

    @model_validator(mode="after")
    def _can_be(self) -> SearchedSettings:
        self.space(Settings(), lrs=(1e-3,))
        return self
