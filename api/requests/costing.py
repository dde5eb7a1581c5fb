"""What a job would take, as far as it can be foreseen: the cost of a typical route, the number of trainings."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import median_low
from typing import Any

import numpy as np

from api.requests.data_checks import KnownData
from mtnas.data import CATALOGUE
from mtnas.data.data_spec import CatalogueSource, ColumnSplit, Feature
from mtnas.data.encoding_spec import (
    NumericSpec,
    PeriodicNumbers,
    PiecewiseNumbers,
    PlainNumbers,
    RangedNumbers,
    number_vectors,
)
from mtnas.data.profiles.inference import infer_features
from mtnas.data.profiles.profile import ColumnProfile
from mtnas.routes import InputShape
from mtnas.search.budgets.foreseen import YARDSTICK, num_sampled, passes_of_proposals, passes_of_steps
from mtnas.search.budgets.passes import PassRows
from mtnas.search.known_schemes import MOST_KNOWN
from mtnas.search.specs.supernet_specs import SharedWeightsSearch
from mtnas.spaces import SearchSpace
from mtnas.spec import JobSpec, SampledSearch

SAMPLED_ROUTES = 15


def typical_cost(space: SearchSpace, inputs: InputShape | None, *, seed: int) -> dict[str, int] | None:
    """Median parameters and multiply-accumulates of routes drawn from the space; ``None`` without inputs.

    Raises:
        SpaceError: no route keeps to the constraints.
    """
    if inputs is None:
        return None
    known = replace(space, inputs=inputs)
    rng = np.random.default_rng(seed)
    costs = [known.cost(known.sample(rng)) for _ in range(SAMPLED_ROUTES)]
    return {
        "num_params": median_low(cost.num_params for cost in costs),
        "macs": median_low(cost.macs for cost in costs),
    }


def expected_inputs(spec: JobSpec, data: KnownData) -> InputShape | None:
    """The shape of the inputs before they are encoded, or ``None``; vocabularies that no profile tells of are empty."""
    features = _features(spec, data)
    if features is None:
        return None
    tables, one_hot, ranges = list[tuple[int, int]](), list[int](), list[tuple[int, int]]()
    num_numeric, mapped, segments = 0, list[int](), list[int]()
    numeric, categorical = spec.data.numeric, spec.data.categorical
    for feature in features:
        column = data.profile.column(feature.column) if data.profile else None
        match feature.kind:
            case "numeric":
                steps = _steps(numeric, feature, column)
                if isinstance(numeric, RangedNumbers) and steps:
                    ranges.append((steps + 2, feature.embedding_width or numeric.width))
                elif isinstance(numeric, PiecewiseNumbers) and steps:
                    segments.append(steps)
                if steps or (isinstance(numeric, PeriodicNumbers) and feature.bins != 0):
                    mapped.append(num_numeric)
                # Its missing indicator is an input of its own.
                num_numeric += 1 if column is not None and not column.missing else 2
            case "dense_vector" | "sequence" | "image":
                if column is None or column.length is None:
                    return None
                num_numeric += column.length
            case _:
                distinct = None if column is None else column.tokens or column.distinct
                values = 0 if distinct is None else min(distinct, feature.max_vocabulary)
                rows, width = values + 1 if values else 0, feature.embedding_width or categorical.width_for(values)
                indicated = feature.kind == "categorical" and feature.embedding_width is None
                if indicated and 0 < values <= categorical.one_hot:
                    one_hot.append(len(tables))
                    width = values
                tables.append((rows, width))
    vectors = number_vectors(numeric)
    return InputShape(
        vocabularies=tuple(rows for rows, _ in tables + ranges),
        embedding_widths=tuple(width for _, width in tables + ranges),
        one_hot=tuple(one_hot),
        num_numeric=num_numeric + len(segments),
        numbers=None if vectors is None else vectors.maps(mapped, segments, first_place=num_numeric),
    )


def _steps(numeric: NumericSpec, feature: Feature, column: ColumnProfile | None) -> int:
    """Edges between ranges, or segments, as far as a profile tells; a constant column has none."""
    if isinstance(numeric, PlainNumbers | PeriodicNumbers):
        return 0
    bins = numeric.bins if feature.bins is None else feature.bins
    most = bins if column is None or column.distinct is None else min(bins, column.distinct)
    return max(0, most if isinstance(numeric, PiecewiseNumbers) and most == bins else most - 1)


def estimate(spec: JobSpec, data: KnownData) -> dict[str, Any]:
    """Trainings by phase, and their steps when the number of rows is known.

    Independent searches count each, and so does the random search of equal budget beside each, whose trials are as many
    as a search over shared weights is charged for: where nobody knows the rows, no more than that search's own.
    """
    protocol, tunings, count = spec.protocol, spec.training.most_tunings, spec.protocol.num_searches
    rows = None if data.num_rows is None else min(data.num_rows, spec.data.max_rows or data.num_rows)
    of_training = 0 if rows is None else _steps_at_most(spec, rows)
    charged = None
    if rows is not None and not isinstance(spec.search, SampledSearch):
        charged = _charge_at_most(spec, spec.search, rows)
    baselines = len({"single_task", *protocol.named_baselines})
    compares = protocol.wants_random_search and spec.search.kind != "random"
    of_kinds = protocol.finalists * (2 if compares else 1)
    more = (count - 1) * (2 if compares else 1)
    searched = _searched_at_most(spec)
    random = 0 if not compares else searched if charged is None else max(1, math.ceil(charged / of_training))
    trainings = {
        "baselines": baselines * max(1, tunings),
        "search": count * searched,
        "random_search": count * random,
        "tuning": (of_kinds + more) * tunings,
        "retraining": (baselines + of_kinds) * protocol.num_seeds + more,
    }
    result: dict[str, Any] = {"trainings": trainings}
    if rows is not None:
        result["rows"] = rows
        at_most = sum(trainings.values()) * of_training
        if charged is not None:
            at_most += count * charged - trainings["search"] * of_training
        result["candidate_steps_at_most"] = at_most
    return result


def _searched_at_most(spec: JobSpec) -> int:
    """Trials, or supernets and the routes that are trained alone after them."""
    if isinstance(spec.search, SampledSearch):
        return spec.budget.trials
    return spec.search.num_searches + min(spec.search.screen, spec.budget.trials)


def _steps_at_most(spec: JobSpec, rows: int, *, epochs: int | None = None) -> int:
    """Steps of a training of so many epochs, the job's if ``None``, if all rows are to train on in the end.

    Where the job leaves epochs to its data they follow from the rows of ``train``, of which a split by a column, whose
    values nobody has counted yet, is taken to name half.
    """
    split = spec.data.split
    kept = 0.5 if split is None or isinstance(split, ColumnSplit) else 1 - split.valid - split.test
    of_train = max(1, math.floor(kept * (1 - spec.data.search_share) * rows))
    most = 0
    for own_rows in (False, True):
        length = spec.training.length(
            num_rows=of_train, num_tasks=len(spec.tasks), own_rows=own_rows, least_epochs=spec.least_epochs
        )
        at_once = length.batch_size * (len(spec.tasks) if own_rows else 1)
        most = max(most, (epochs or length.epochs) * (rows // at_once + 1))
    return most


def _charge_at_most(spec: JobSpec, search: SharedWeightsSearch, rows: int) -> int:
    """What the searches are charged if all rows but those of ``search`` were to train on, and are of all tasks."""
    held_out = math.ceil(spec.data.search_share * rows)
    length = spec.training.length(num_rows=rows, num_tasks=len(spec.tasks))
    of_pass = PassRows(
        step=min(length.batch_size, rows),
        evaluation=held_out,
        labelled=held_out,
        num_tasks=len(spec.tasks),
        own_rows=False,
    )
    steps = _steps_at_most(spec, rows, epochs=search.epochs)
    if search.epochs is None:
        steps = max(steps, search.least_weight_steps + rows // of_pass.step + 1)  # in whole epochs
    num_samples = num_sampled(search, trials=spec.budget.trials)
    most = max(
        (
            passes_of_steps(variant, of_pass, first=0, steps=steps)
            + passes_of_proposals(variant, of_pass, num_samples=num_samples, num_others=YARDSTICK + MOST_KNOWN)
        ).candidate_steps(of_pass.step)
        for variant in search.variants()
    )
    screening = min(search.screen, spec.budget.trials) * _steps_at_most(spec, rows)
    return math.ceil(most * search.num_networks(len(spec.tasks))) + screening


def _features(spec: JobSpec, data: KnownData) -> tuple[Feature, ...] | None:
    if not isinstance(spec.data.features, str):
        return spec.data.features
    never = {*spec.data.exclude, *(task.to_task().label for task in spec.tasks)}
    if isinstance(data.source, CatalogueSource):
        known = CATALOGUE[data.source.name]
        features = known.features(known.check_options(data.source.options))
        return tuple(feature for feature in features if feature.column not in never)
    if data.profile is None:
        return None
    return infer_features(data.profile.columns, num_rows=data.profile.num_rows, never=never)[0]
