"""The searchable part of a candidate's settings: which of them vary, and over what.

Width is not here: a slot that may be narrow or wide says so by its block choices, which are structure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from mtnas.errors import SpecError
from mtnas.routes.gate_settings import GATE_SETTINGS, check_gate_settings
from mtnas.trials import Settings

GATE = "gate."
TASK_WEIGHT = "task_weights."
BALANCER = "balancer"
PLAIN = ("lr", "weight_decay", "dropout", "gamma", BALANCER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few values, the order of which means nothing.

    Attributes:
        name: a setting: ``lr``, ``weight_decay``, ``dropout``, ``gamma``, ``gate.<name>``, ``task_weights.<task>``, or
            ``balancer``, whose values are numbers in ``SettingsSpace.balancers``.
        values: what it may be, none twice.

    Raises:
        SpecError: an unknown setting, or no values, doubled ones, or some that the setting cannot have.
    """

    name: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        _check(self.name, self.values)
        if not self.values or len(set(self.values)) != len(self.values):
            raise SpecError(expected="values, none twice", found=str(self.values), where=f"choice {self.name!r}")

    def contains(self, value: float) -> bool:
        """Whether the value is one of the choices."""
        return value in self.values

    def sample(self, rng: np.random.Generator) -> float:
        """A value at random."""
        return self.values[int(rng.integers(len(self.values)))]

    def move(self, value: float, rng: np.random.Generator) -> float:
        """Another value at random; the same when there is no other."""
        others = [other for other in self.values if other != value]
        return others[int(rng.integers(len(others)))] if others else value

    def features(self, value: float) -> tuple[float, ...]:
        """One indicator per value, for surrogate models; two different values are at distance 1."""
        return tuple(math.sqrt(0.5) * (value == other) for other in self.values)

    @property
    def num_features(self) -> int:
        """How many numbers ``features`` gives."""
        return len(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogUniform:
    """Any value between two positive bounds, uniform in its logarithm.

    Attributes:
        name: as for ``Choice``.
        low: the least value, positive.
        high: the largest value, more than ``low``.

    Raises:
        SpecError: an unknown setting, bounds out of order, or bounds that the setting cannot have.
    """

    name: str
    low: float
    high: float

    def __post_init__(self) -> None:
        _check(self.name, (self.low, self.high))
        if not 0 < self.low < self.high < math.inf:
            raise SpecError(expected="0 < low < high", found=f"{self.low}, {self.high}", where=f"range {self.name!r}")

    def contains(self, value: float) -> bool:
        """Whether the value lies between the bounds."""
        return self.low <= value <= self.high

    def sample(self, rng: np.random.Generator) -> float:
        """A value at random."""
        return self._at(float(rng.uniform()))

    def move(self, value: float, rng: np.random.Generator) -> float:
        """A value near by: a normal step of a tenth of the range, reflected at the bounds."""
        step = (self._place(value) + float(rng.normal(scale=0.1))) % 2.0
        return self._at(min(step, 2.0 - step))

    def features(self, value: float) -> tuple[float, ...]:
        """The place between the bounds, from 0 to 1, for surrogate models."""
        return (self._place(value),)

    @property
    def num_features(self) -> int:
        """How many numbers ``features`` gives."""
        return 1

    def _place(self, value: float) -> float:
        return math.log(value / self.low) / math.log(self.high / self.low)

    def _at(self, place: float) -> float:
        return min(self.high, max(self.low, self.low * math.exp(place * math.log(self.high / self.low))))


SettingsPart = Choice | LogUniform


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsSpace:
    """Settings of which some are searched.

    Attributes:
        fixed: the settings of everything that is not searched.
        parts: what is searched; each setting at most once.
        balancers: what the numbers of a part ``balancer`` stand for, from 0.

    Raises:
        SpecError: a setting twice, a balancer twice, or a number that stands for none.
    """

    fixed: Settings = field(default_factory=Settings)
    parts: tuple[SettingsPart, ...] = ()
    balancers: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        names = [part.name for part in self.parts]
        if len(set(names)) != len(names):
            raise SpecError(expected="each setting once", found=str(names), where="searched settings")
        if any(balancer in self.balancers[:number] for number, balancer in enumerate(self.balancers)):
            raise SpecError(expected="balancers, none twice", found=str(self.balancers), where="searched settings")
        numbers = tuple(range(len(self.balancers)))
        for part in self.parts:
            if part.name == BALANCER and not (isinstance(part, Choice) and set(part.values) <= set(numbers)):
                raise SpecError(expected=f"a choice of {numbers}", found=str(part), where="searched setting 'balancer'")

    @property
    def size(self) -> float:
        """Number of different settings; infinite when a part is a range."""
        return math.prod(len(part.values) if isinstance(part, Choice) else math.inf for part in self.parts)

    def values(self, settings: Settings) -> tuple[float, ...]:
        """What these settings choose, part by part; NaN for a ``gamma`` or balancer that is left to the job."""
        return tuple(self._read(settings, part.name) for part in self.parts)

    def of(self, values: tuple[float, ...]) -> Settings:
        """The settings that choose these values, part by part."""
        chosen = {part.name: value for part, value in zip(self.parts, values, strict=True)}
        return replace(
            self.fixed,
            lr=chosen.get("lr", self.fixed.lr),
            weight_decay=chosen.get("weight_decay", self.fixed.weight_decay),
            dropout=chosen.get("dropout", self.fixed.dropout),
            gamma=chosen.get("gamma", self.fixed.gamma),
            gate={**self.fixed.gate, **_below(GATE, chosen)},
            task_weights={**self.fixed.task_weights, **_below(TASK_WEIGHT, chosen)},
            balancer=self.balancers[int(chosen[BALANCER])] if BALANCER in chosen else self.fixed.balancer,
        )

    def contains(self, settings: Settings) -> bool:
        """Whether every searched setting has a value that its part allows; the others do not count."""
        return all(part.contains(value) for part, value in zip(self.parts, self.values(settings), strict=True))

    def sample(self, rng: np.random.Generator) -> Settings:
        """Settings at random."""
        return self.of(tuple(part.sample(rng) for part in self.parts))

    def mutate(self, settings: Settings, rng: np.random.Generator) -> Settings:
        """The settings with one searched value changed; the same when nothing is searched."""
        values = list(self.values(settings))
        if values:
            index = int(rng.integers(len(values)))
            values[index] = self.parts[index].move(values[index], rng)
        return self.of(tuple(values))

    def cross(self, first: Settings, second: Settings, rng: np.random.Generator) -> Settings:
        """Every searched value from one of two parents at random."""
        pairs = zip(self.values(first), self.values(second), strict=True)
        return self.of(tuple(pair[int(rng.integers(2))] for pair in pairs))

    def enumerate(self) -> Iterator[Settings]:
        """All settings, each once.

        Raises:
            SpecError: a part is a range.
        """
        choices = [part.values for part in self.parts if isinstance(part, Choice)]
        if len(choices) != len(self.parts):
            raise SpecError(expected="choices only", found="a range", where="searched settings")
        return (self.of(values) for values in product(*choices))

    def features(self, settings: Settings) -> tuple[float, ...]:
        """The searched values as numbers for surrogate models."""
        pairs = zip(self.parts, self.values(settings), strict=True)
        return tuple(feature for part, value in pairs for feature in part.features(value))

    @property
    def num_features(self) -> int:
        """How many numbers ``features`` gives."""
        return sum(part.num_features for part in self.parts)

    def _read(self, settings: Settings, name: str) -> float:
        if name != BALANCER:
            return _read(settings, name)
        known = settings.balancer in self.balancers
        return float(self.balancers.index(settings.balancer)) if known else math.nan


def _read(settings: Settings, name: str) -> float:
    if name.startswith(GATE):
        gate = name.removeprefix(GATE)
        return float(settings.gate.get(gate, GATE_SETTINGS[gate]))
    if name.startswith(TASK_WEIGHT):
        return float(settings.task_weights.get(name.removeprefix(TASK_WEIGHT), 1.0))
    if name == "gamma":
        return math.nan if settings.gamma is None else settings.gamma
    return {"lr": settings.lr, "weight_decay": settings.weight_decay, "dropout": settings.dropout}[name]


def _below(prefix: str, chosen: Mapping[str, float]) -> dict[str, float]:
    return {name.removeprefix(prefix): value for name, value in chosen.items() if name.startswith(prefix)}


def _check(name: str, values: tuple[float, ...]) -> None:
    where = f"searched setting {name!r}"
    if name.startswith(GATE):
        for value in values:
            check_gate_settings({name.removeprefix(GATE): value})
        return
    if name not in PLAIN and not (name.startswith(TASK_WEIGHT) and len(name) > len(TASK_WEIGHT)):
        known = [*PLAIN, f"{GATE}<name>", f"{TASK_WEIGHT}<task>"]
        raise SpecError(expected=f"one of {known}", found=name, where=where)
    positive = name == "lr" or name.startswith(TASK_WEIGHT)
    for value in values:
        if not math.isfinite(value) or value < 0 or (positive and value == 0) or (name == "dropout" and value >= 1):
            expected = "0 <= value < 1" if name == "dropout" else "a positive number" if positive else "0 or more"
            raise SpecError(expected=expected, found=str(value), where=where)
