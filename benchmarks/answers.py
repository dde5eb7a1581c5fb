"""What a job answers at its defaults, beside tuned LightGBM per task: the figures that a user gets who changes nothing.

Every draw takes other rows of a public table: as many to train on and to choose on as a table of that size would have,
and many more for ``test``, so that differences can be told from noise. The job is run through ``RouteSearch``'s own
way, with nothing said but the tasks. LightGBM sees the same rows, tuned over thirty settings on ``valid`` with early
stopping, and is trained on the same parts. Draws that are in the results already are not run again:

    OMP_NUM_THREADS=1 MTNAS_DATA_DIR=... python -m benchmarks.answers [--sets census flights drugs] [--draws 5]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.packs import access
from benchmarks.publishing import RESULTS, interval, publish
from benchmarks.unfamiliar import PEOPLE, drug_consumption
from mtnas.data.catalogue import CATALOGUE
from mtnas.easy import run_locally
from mtnas.spec import JobSpec

VALID_SHARE, TEST_ROWS, SETTINGS = 1 / 6, 20_000, 30
PART = "part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A table, its binary labels, its inputs, and how many rows a draw takes without those of ``test``."""

    table: Callable[[], pd.DataFrame]
    labels: tuple[str, ...]
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    rows: int


def _catalogue(name: str, labels: tuple[str, ...], rows: int) -> Problem:
    known = CATALOGUE[name]
    options = known.options()
    features = known.features(options)
    return Problem(
        table=lambda: known.read(options, access()).table.to_pandas(),
        labels=labels,
        numbers=tuple(f.column for f in features if f.kind == "numeric"),
        categories=tuple(f.column for f in features if f.kind == "categorical"),
        rows=rows,
    )


def _drugs() -> pd.DataFrame:
    people, used = drug_consumption({f"drug{place}": place for place in DRUGS})
    return people.join(used)


DRUGS = (14, 15, 16, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31)  # all but alcohol, caffeine, chocolate, semer
PROBLEMS: Mapping[str, Problem] = {
    "census": _catalogue("census-income", ("income", "education", "marital"), 8_340),
    "flights": _catalogue("flights", ("dep_late", "arr_late", "cancelled"), 16_700),
    "drugs": Problem(
        table=_drugs, labels=tuple(f"drug{place}" for place in DRUGS), numbers=PEOPLE, categories=(), rows=1_400
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, draw by draw, and publish after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--draws", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--name", default="answers", help="of the results' files")
    parser.add_argument("--job", type=json.loads, default={}, help="parts of a job specification, as JSON")
    asked = parser.parse_args(arguments)
    results = RESULTS / f"{asked.name}.json"
    runs: list[dict[str, Any]] = json.loads(results.read_text())["runs"] if results.exists() else []
    for draw in asked.draws:
        for name in asked.sets:
            if not any(run["set"] == name and run["draw"] == draw for run in runs):
                runs.append({"set": name, "draw": draw} | answered(PROBLEMS[name], draw, asked.job))
                print(runs[-1], flush=True)
                _publish(asked.name, runs)


def answered(problem: Problem, draw: int, job: Mapping[str, Any]) -> dict[str, Any]:
    """Mean AUC over the tasks on ``test`` of everyone in the report, and of LightGBM; by task for the best known."""
    rows = drawn(problem, draw)
    begun = time.perf_counter()
    report = reported(problem, rows, draw, job)
    seconds = time.perf_counter() - begun
    by_task = {
        row["label"]: {task: row["per_task"][task]["test"]["mean"] for task in problem.labels} for row in report["rows"]
    }
    begun = time.perf_counter()
    by_task["lightgbm"] = tuned_lightgbm(problem, rows)
    together = report["ensemble"]
    return {
        "by_task": by_task,
        "valid": {row["label"]: row["valid_score"] for row in report["rows"]},
        "members": None
        if together is None
        else [(m["label"], fmean(m["weights"].values())) for m in together["members"]],
        "brought": None if together is None else {k: v for k, v in together.items() if k not in ("members", "digest")},
        "best": report["best"]["label"],
        "seconds": round(seconds),
        "lightgbm seconds": round(time.perf_counter() - begun),
    }


def drawn(problem: Problem, draw: int) -> pd.DataFrame:
    """The rows of a draw, with the column ``part``."""
    table = problem.table()[[*problem.numbers, *problem.categories, *problem.labels]]
    order = np.random.default_rng([draw, 7]).permutation(len(table))[: problem.rows + TEST_ROWS]
    valid = round(problem.rows * VALID_SHARE)
    parts = np.full(len(order), "test", object)
    parts[: problem.rows] = "train"
    parts[:valid] = "valid"
    return table.iloc[order].assign(**{PART: parts}).reset_index(drop=True)


def reported(problem: Problem, rows: pd.DataFrame, draw: int, job: Mapping[str, Any]) -> Mapping[str, Any]:
    """The report of a job that says nothing but what the data and the tasks are."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows.to_parquet(folder / "rows.parquet")
        features = [{"column": name, "kind": "numeric"} for name in problem.numbers]
        features += [{"column": name, "kind": "categorical"} for name in problem.categories]
        document = {
            "name": "answers",
            "data": {
                "source": {"kind": "file", "paths": ["rows.parquet"]},
                "features": features,
                "split": {"kind": "column", "column": PART, "train": ["train"], "valid": ["valid"], "test": ["test"]},
            },
            "tasks": [{"name": label, "kind": "binary"} for label in problem.labels],
            "seed": draw,
        }
        spec = JobSpec.model_validate(document | dict(job))
        return run_locally(spec, roots=(folder,), folder=folder / "out").report


def tuned_lightgbm(problem: Problem, rows: pd.DataFrame) -> dict[str, float]:
    """AUC on ``test`` by task: the best of the settings on ``valid``, each stopped early there."""
    import lightgbm

    rng = np.random.default_rng(0)
    inputs = rows[[*problem.numbers, *problem.categories]].copy()
    for name in problem.categories:
        inputs[name] = inputs[name].astype("category")
    tried = [
        {
            "learning_rate": float(np.exp(rng.uniform(np.log(0.02), np.log(0.15)))),
            "num_leaves": int(np.exp(rng.uniform(np.log(4), np.log(64)))),
            "min_child_samples": int(np.exp(rng.uniform(np.log(5), np.log(100)))),
            "colsample_bytree": float(rng.uniform(0.15, 1)),
            "reg_lambda": float(np.exp(rng.uniform(np.log(0.1), np.log(20)))),
            "subsample": float(rng.uniform(0.5, 1)),
        }
        for _ in range(SETTINGS)
    ]
    found = {}
    for label in problem.labels:
        labelled = rows[label].notna()
        of = {part: np.flatnonzero(labelled & (rows[PART] == part)) for part in ("train", "valid", "test")}
        best = (-1.0, 0.0)
        for settings in tried:
            model = lightgbm.LGBMClassifier(
                n_estimators=1500, subsample_freq=1, n_jobs=1, verbose=-1, random_state=0, **settings
            )
            model.fit(
                inputs.iloc[of["train"]],
                rows[label].iloc[of["train"]],
                eval_X=inputs.iloc[of["valid"]],
                eval_y=rows[label].iloc[of["valid"]],
                eval_metric="auc",
                callbacks=[lightgbm.early_stopping(40, verbose=False)],
            )
            score = roc_auc_score(rows[label].iloc[of["valid"]], model.predict_proba(inputs.iloc[of["valid"]])[:, 1])
            if score > best[0]:
                chances = model.predict_proba(inputs.iloc[of["test"]])[:, 1]
                best = float(score), float(roc_auc_score(rows[label].iloc[of["test"]], chances))
        found[label] = best[1]
    return found


def _publish(name: str, runs: Sequence[Mapping[str, Any]]) -> None:
    rows = []
    for problem in dict.fromkeys(run["set"] for run in runs):
        own = [run for run in runs if run["set"] == problem]
        means = [{label: fmean(of.values()) for label, of in run["by_task"].items()} for run in own]
        for label in means[0]:
            against, low, high = interval([mean[label] - mean["lightgbm"] for mean in means if label in mean])
            row = {"set": problem, "entrant": label, "draws": len(own)}
            row |= {"mean AUC": round(fmean(mean[label] for mean in means if label in mean), 5)}
            row |= {"over LightGBM": round(against, 5), "low": round(low, 5), "high": round(high, 5)}
            rows.append(row | {"seconds": round(fmean(run["seconds"] for run in own))})
    publish(
        name,
        title="What a job answers at its defaults, beside tuned LightGBM",
        facts={problem: f"{found.rows} rows without test" for problem, found in PROBLEMS.items()}
        | {"LightGBM": f"{SETTINGS} settings a task, tuned on valid", "test": TEST_ROWS},
        rows=rows,
        runs=runs,
        reading="Mean AUC of the tasks on test; differences from LightGBM are paired by draw, with 95 % intervals.",
    )


if __name__ == "__main__":
    main()
