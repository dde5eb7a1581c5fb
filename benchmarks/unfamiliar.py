"""The defaults on small tables that nothing of this project was tuned on, beside a linear model per target.

``RouteSearch`` with nothing but the targets' names, against logistic or ridge regression on standardised inputs, judged
on a quarter of the rows that neither sees. Both get the same rows; ``RouteSearch`` holds parts of its own out of them,
the linear models learn from all. Single-task networks are those of the job's own report, on its own test part.

    OMP_NUM_THREADS=1 MTNAS_DATA_DIR=... python -m benchmarks.unfamiliar [--tables cancer diabetes drugs]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import roc_auc_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.publishing import publish
from mtnas.data.access import data_dir_from_environment
from mtnas.easy import RouteSearch

HELD_OUT = 0.25
DRUGS = {"benzos": 16, "cannabis": 18, "ecstasy": 22, "mushrooms": 28, "nicotine": 29}
PEOPLE = ("age", "gender", "education", "country", "ethnicity", "n", "e", "o", "a", "c", "impulsive", "seeking")


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit both on every table, and write ``results/unfamiliar.{json,md}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=list(TABLES))
    rows = [row for name in parser.parse_args(arguments).tables for row in compared(name)]
    publish(
        "unfamiliar",
        title="Defaults on tables that nothing was tuned on",
        facts={"held out": HELD_OUT, "seed": 0},
        rows=rows,
        reading="AUC (higher is better) or root mean squared error (lower is better) on rows that neither has seen. "
        "gain over single tasks: of the job's answer, on the job's own test part. One draw: with linear members the "
        "answer is near a linear model on tables of a few hundred rows, and below it where that alone is right "
        "(texture).",
    )


def compared(name: str) -> list[dict[str, Any]]:
    """A row a target."""
    inputs, targets = TABLES[name]()
    held_out = np.random.default_rng(0).random(len(inputs)) < HELD_OUT
    kinds = {target: "binary" if targets[target].nunique() == 2 else "regression" for target in targets}
    begun = time.perf_counter()
    search = RouteSearch(kinds, verbose=0).fit(pd.concat([inputs, targets], axis=1)[~held_out])
    seconds = time.perf_counter() - begun
    shares, values = search.predict_proba(inputs[held_out]), search.predict(inputs[held_out])
    gains = {row["label"]: row["mean_gain"]["mean"] for row in search.report_["rows"]}
    rows = []
    for target, kind in kinds.items():
        known, told = targets[target][~held_out], targets[target][held_out]
        estimator = LogisticRegression(max_iter=2000) if kind == "binary" else RidgeCV(np.logspace(-3, 3, 13))
        linear = make_pipeline(StandardScaler(), estimator).fit(inputs[~held_out], known)
        if kind == "binary":
            ours = roc_auc_score(told, np.asarray(shares[target]).reshape(len(told), -1)[:, -1])
            theirs = roc_auc_score(told, linear.predict_proba(inputs[held_out])[:, 1])
        else:
            ours = root_mean_squared_error(told, np.asarray(values[target]))
            theirs = root_mean_squared_error(told, linear.predict(inputs[held_out]))
        figures = {"RouteSearch": round(float(ours), 4), "linear": round(float(theirs), 4)}
        gain = gains.get("ensemble", gains.get("finalist-1"))
        told_gain = {"gain over single tasks": "" if gain is None else round(gain, 4), "seconds": round(seconds)}
        size = {"table": name, "rows": int((~held_out).sum()), "target": target}
        rows.append(size | {"figure": "AUC" if kind == "binary" else "RMSE"} | figures | told_gain)
    return rows


def _cancer() -> tuple[pd.DataFrame, pd.DataFrame]:
    table = load_breast_cancer(as_frame=True)
    targets = pd.DataFrame({"benign": table.target, "texture": table.data["mean texture"]})
    return table.data.drop(columns=["mean texture", "worst texture"]), targets


def _diabetes() -> tuple[pd.DataFrame, pd.DataFrame]:
    table = load_diabetes(as_frame=True)
    targets = pd.DataFrame({"progress": table.target, "bmi": 100 * table.data["bmi"], "s5": 100 * table.data["s5"]})
    return table.data.drop(columns=["bmi", "s5"]), targets


def _drugs() -> tuple[pd.DataFrame, pd.DataFrame]:
    return drug_consumption(DRUGS)


def drug_consumption(places: Mapping[str, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What people are like, and whether they used each drug within the last year; ``places``: of the drugs' columns."""
    folder = data_dir_from_environment()
    assert folder is not None, "MTNAS_DATA_DIR holds drug_consumption"
    table = pd.read_csv(folder / "drug_consumption" / "drug_consumption.data.gz", header=None)
    used = {name: (table[place].str[2].astype(int) >= 3).astype(int) for name, place in places.items()}
    return table[list(range(1, 13))].set_axis(list(PEOPLE), axis=1), pd.DataFrame(used)


TABLES: Mapping[str, Any] = {"cancer": _cancer, "diabetes": _diabetes, "drugs": _drugs}


if __name__ == "__main__":
    main()
