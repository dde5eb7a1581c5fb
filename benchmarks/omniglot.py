"""Does learning who uses which component beat sharing all of them? Gumbel-Matrix on alphabets of Omniglot.

Full sharing (every task uses every component), one smaller network per task (together as large), and a learned matrix
of tasks and components, with and without a budget; otherwise the same training, seeds paired. The small setting runs on
two processor cores; ``--published`` is the setting of the paper (METHODS.md section 3), for a GPU.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

import altair
import torch

from benchmarks.gumbel_matrix import SeparateNetworks, Setting, SharedNetwork, at_best_valid, train
from benchmarks.packs import access, towers
from benchmarks.publishing import interval, publish
from mtnas.data import CATALOGUE, EncodedData, load
from mtnas.routes.schemes.by_name import matched
from mtnas.spec import CatalogueSource, DataSpec
from mtnas.tasks import Task
from mtnas.training.feeding.rows import ResidentData

PUBLISHED = Setting()
SMALL = Setting(
    alphabets=5,
    size=28,
    layers=4,
    channels=8,
    rounds=200,
    lr=2e-3,
    router_lr=2e-2,
    temperature=5.0,
    evaluate_every=50,
)
METHODS = ("full sharing", "single task", "gumbel matrix", "gumbel matrix, budget .5")
SEEDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one method gave.

    Attributes:
        accuracies: per seed and task on ``test``, at the best moment on ``valid``.
        num_params: weights.
        used: per seed, task and component whether it is used at the end; empty without an allocation.
        seconds: of processor time.
    """

    method: str
    accuracies: list[list[float]]
    num_params: int
    used: list[list[list[float]]]
    seconds: float


def main() -> None:
    """Run a setting and publish it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--published", action="store_true", help="the paper's setting, which takes a GPU")
    parser.add_argument("--rounds", type=int, help="fewer rounds than the setting's")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = parser.parse_args()
    setting = PUBLISHED if asked.published else SMALL
    if asked.rounds is not None:
        setting = replace(setting, rounds=asked.rounds)
    seeds, started = range(asked.seeds), time.monotonic()
    context = multiprocessing.get_context("spawn")
    at_once = 1 if asked.device != "cpu" else 2
    with ProcessPoolExecutor(at_once, mp_context=context) as pool:
        running = [pool.submit(run, method, setting, seeds, asked.device) for method in METHODS]
        results = [future.result() for future in running]
    rows = table(results)
    for row in rows:
        print(row, file=sys.stderr)
    name = "omniglot_published" if asked.published else "omniglot"
    publish(
        name,
        title=f"Omniglot, {setting.alphabets} alphabets: learned allocation against full sharing and single tasks",
        facts={
            "accuracy": "mean over alphabets on test, at the best look on valid",
            "seeds": len(seeds),
            "minutes": round((time.monotonic() - started) / 60, 1),
            **{key: value for key, value in asdict(setting).items() if value is not None},
        },
        rows=rows,
        chart=plot(results, data_and_tasks(setting)[1]),
        reading=reading(rows),
        device="cpu, two processes" if asked.device == "cpu" else torch.cuda.get_device_name(asked.device),
        command=" ".join(["python -m benchmarks.omniglot", *sys.argv[1:]]),
    )


def run(method: str, setting: Setting, seeds: Sequence[int], device: str) -> Result:
    """Train one method with every seed."""
    torch.set_num_threads(1 if device == "cpu" else 4)
    started = time.process_time()
    if method.endswith("budget .5"):
        setting = replace(setting, budget=0.5, budget_penalty=1.0)
    encoded, tasks = data_and_tasks(setting)
    data = ResidentData.of(encoded, torch.device(device))
    network = network_of(method, setting, tasks, seeds, device, encoded)
    looks = []
    for look in train(network, data, setting, seeds):
        looks.append(look)
        print(f"{method}: round {look.round}, valid {look.valid.mean(1).tolist()}", file=sys.stderr, flush=True)
    used = [] if network.allocation is None else network.allocation.best().tolist()
    return Result(
        method=method,
        accuracies=at_best_valid(looks).tolist(),
        num_params=network.num_params,
        used=used,
        seconds=time.process_time() - started,
    )


def network_of(
    method: str, setting: Setting, tasks: Sequence[Task], seeds: Sequence[int], device: str, data: EncodedData
) -> SharedNetwork | SeparateNetworks:
    """An untrained network."""
    shared = SharedNetwork(setting, towers(tasks), seeds, device, learned=method.startswith("gumbel"))
    if method != "single task":
        return shared
    named = matched("single_task", towers(tasks), setting.image_size, data.inputs, num_params=shared.num_params)
    width = next(slot.choices[0].widths[3] for slot in named.graph.slots if slot.layer == 1)
    return SeparateNetworks(setting, towers(tasks), seeds, device, replace(setting.image_size, width=width))


def data_and_tasks(setting: Setting) -> tuple[EncodedData, tuple[Task, ...]]:
    """The drawings and their alphabets."""
    known, options = CATALOGUE["omniglot"], {"alphabets": setting.alphabets, "size": setting.size}
    tasks = known.tasks(known.check_options(options))
    return load(DataSpec(source=CatalogueSource(name="omniglot", options=options)), tasks, access=access()), tasks


def table(results: Sequence[Result]) -> list[dict[str, Any]]:
    """A row per method: accuracy, its paired difference to full sharing, size, and how much of the network is used."""
    means = {result.method: [fmean(of_seed) for of_seed in result.accuracies] for result in results}
    rows = []
    for result in results:
        middle, low, high = interval(means[result.method])
        change, least, most = interval(
            [a - b for a, b in zip(means[result.method], means["full sharing"], strict=True)]
        )
        rows.append(
            {
                "method": result.method,
                "accuracy": middle,
                "low": low,
                "high": high,
                "against full sharing": change,
                "change low": least,
                "change high": most,
                "worst alphabet": fmean(min(of_seed) for of_seed in result.accuracies),
                "parameters": result.num_params,
                "components used": _mean(result.used) if result.used else 1.0,
                "tasks alike": _alike(result.used) if result.used else float(result.method != "single task"),
                "processor minutes": result.seconds / 60,
            }
        )
    return rows


def reading(rows: Sequence[dict[str, Any]]) -> str:
    """What the paired differences to full sharing say."""
    said = []
    for row in rows[1:]:
        low, high = row["change low"], row["change high"]
        verdict = "ahead of" if low > 0 else "behind" if high < 0 else "not told apart from"
        used = f", {row['components used']:.0%} of its components in use" if "gumbel" in row["method"] else ""
        said.append(f"{row['method']} is {verdict} full sharing ({row['against full sharing']:+.4f}{used})")
    return "Accuracy on test, paired by seed (95 % interval of the difference): " + "; ".join(said) + "."


def plot(results: Sequence[Result], tasks: Sequence[Task]) -> altair.Chart:
    """Accuracy of every alphabet by method, mean over seeds."""
    values = [
        {"method": result.method, "alphabet": task.name, "accuracy": fmean(of_seed[t] for of_seed in result.accuracies)}
        for result in results
        for t, task in enumerate(tasks)
    ]
    chart: altair.Chart = altair.Chart(altair.Data(values=values)).mark_point(filled=True, size=60)
    return chart.encode(
        x=altair.X("accuracy:Q", scale=altair.Scale(zero=False), title="accuracy on test"),
        y=altair.Y("alphabet:N", title=None),
        color="method:N",
    ).properties(width=420)


def _mean(used: list[list[list[float]]]) -> float:
    return float(torch.tensor(used).mean())


def _alike(used: list[list[list[float]]]) -> float:
    """Mean Jaccard index of the components that two tasks use."""
    used_KTC = torch.tensor(used).bool()
    T = used_KTC.shape[1]
    pairs = [(i, j) for i in range(T) for j in range(i)]
    found = [
        (used_KTC[:, i] & used_KTC[:, j]).sum(1) / (used_KTC[:, i] | used_KTC[:, j]).sum(1).clamp(min=1)
        for i, j in pairs
    ]
    return float(torch.stack(found).mean())


if __name__ == "__main__":
    main()
