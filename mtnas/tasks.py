"""Tasks and objectives: what the towers must predict, and what a search should make large or small."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from mtnas.errors import TaskError
from mtnas.units import OWN_UNIT, Transform, Unit


class TaskKind(StrEnum):
    """What kind of label a task has; it decides the loss and the number of tower outputs."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Metric(StrEnum):
    """How well a task is done."""

    AUC = "auc"
    LOG_LOSS = "log_loss"
    ACCURACY = "accuracy"
    RMSE = "rmse"
    MAE = "mae"
    PINBALL = "pinball"

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is a better one."""
        return self in (Metric.AUC, Metric.ACCURACY)

    @property
    def has_unit(self) -> bool:
        """Whether it is measured in the label's unit, as errors of regressions are."""
        return self in (Metric.RMSE, Metric.MAE, Metric.PINBALL)


class Loss(StrEnum):
    """What a regression's network makes small, on standardised targets."""

    SQUARED = "squared"
    HUBER = "huber"
    QUANTILE = "quantile"


_METRICS_OF_KIND = {
    TaskKind.BINARY: (Metric.AUC, Metric.LOG_LOSS, Metric.ACCURACY),
    TaskKind.MULTICLASS: (Metric.ACCURACY, Metric.LOG_LOSS),
    TaskKind.REGRESSION: (Metric.RMSE, Metric.MAE, Metric.PINBALL),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One supervised objective.

    Attributes:
        name: unique among the job's tasks; an identifier.
        kind: binary, multiclass or regression.
        label: the column that holds the label; missing values are masked out of the loss.
        metric: the figure the task is judged by; by default the first that fits its kind.
        weight: factor on the task's loss, positive.
        tower: widths of the tower's hidden layers; empty means one linear layer.
        num_classes: classes of a multiclass task, 0 for as many as occur, until the data was read; 1 for other kinds.
        positive: which of a binary label's two values counts as 1; ``None`` knows 1, true, yes and the like.
        transform: of a regression's label before it is standardised; ``log1p`` is for amounts of many magnitudes.
        loss: of a regression; ``huber`` and ``quantile`` (the pinball loss) are moved less by outliers than squares.
        delta: where the Huber loss turns linear, in deviations of the label.
        quantile: which quantile the quantile loss and the pinball metric are about; 0.5 is the median.
        weight_column: says how much every row counts, in losses and figures; ``None`` counts all alike.
        soft: whether a binary label holds probabilities; known once the data was read.
        unit: how the label became the targets of the training; known once the data was read.
        rates: the mean of a binary label, or the share of every class, in the training rows; empty until known.
            Towers start there.

    Raises:
        TaskError: a value that contradicts another.
    """

    name: str
    kind: TaskKind
    label: str
    metric: Metric | None = None
    weight: float = 1.0
    tower: tuple[int, ...] = (32,)
    num_classes: int = 1
    positive: str | None = None
    transform: Transform = Transform.NONE
    loss: Loss = Loss.SQUARED
    delta: float = 1.0
    quantile: float = 0.5
    weight_column: str | None = None
    soft: bool = False
    unit: Unit = OWN_UNIT
    rates: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        where = f"task {self.name!r}"
        if not self.name.isidentifier():
            raise TaskError(expected="an identifier as the task's name", found=repr(self.name), where="tasks")
        if not 0 < self.weight < inf:
            expected = "a finite weight" if self.weight == inf else "a positive weight"
            raise TaskError(expected=expected, found=str(self.weight), where=where)
        if any(width < 1 for width in self.tower):
            raise TaskError(expected="tower widths of at least 1", found=str(self.tower), where=where)
        if self.num_classes < 0 or (self.kind is TaskKind.MULTICLASS) != (self.num_classes != 1):
            raise TaskError(
                expected="num_classes > 1 for a multiclass task and 1 for any other",
                found=f"{self.kind} with num_classes={self.num_classes}",
                where=where,
            )
        if self.metric is not None and self.metric not in _METRICS_OF_KIND[self.kind]:
            allowed = ", ".join(_METRICS_OF_KIND[self.kind])
            raise TaskError(
                expected=f"one of {allowed} as metric of a {self.kind} task", found=self.metric, where=where
            )
        self._check_regression(where)

    def _check_regression(self, where: str) -> None:
        if self.positive is not None and self.kind is not TaskKind.BINARY:
            found = f"positive of a {self.kind} task"
            raise TaskError(expected="positive for binary tasks alone", found=found, where=where)
        options = {"transform": self.transform != Transform.NONE, "loss": self.loss != Loss.SQUARED}
        given = [name for name, is_given in options.items() if is_given]
        if given and self.kind is not TaskKind.REGRESSION:
            found = f"{given[0]} of a {self.kind} task"
            raise TaskError(expected="transform and loss for regressions alone", found=found, where=where)
        if not 0 < self.delta < inf:
            raise TaskError(expected="a positive, finite delta", found=str(self.delta), where=where)
        if not 0 < self.quantile < 1:
            raise TaskError(expected="a quantile between 0 and 1", found=str(self.quantile), where=where)

    @property
    def judged_by(self) -> Metric:
        """The task's metric, defaults resolved; a quantile is judged by the loss that it minimises."""
        if self.metric is None and self.loss is Loss.QUANTILE:
            return Metric.PINBALL
        return self.metric or _METRICS_OF_KIND[self.kind][0]

    @property
    def num_outputs(self) -> int:
        """Outputs of the task's tower: logits, or one value. Of unknown classes two, until they are known."""
        return self.num_classes or 2


class Direction(StrEnum):
    """Which way an objective is better."""

    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One axis of the search's answer.

    Attributes:
        metric: ``mean_gain``, ``worst_gain``, ``num_params``, ``macs``, ``latency_us``, or ``<task>.<metric>``.
        direction: which way is better.
    """

    metric: str
    direction: Direction

    def signed(self, value: float) -> float:
        """The value with its sign set so that larger is better."""
        return value if self.direction is Direction.MAX else -value
