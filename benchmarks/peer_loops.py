"""Training loops of the peers as their users write them: their model, their loader, their trainer.

LibMTL 1.1.5, the newest on PyPI, is left out: it imports ``torchvision.models.utils``, which torchvision dropped, and
its trainer calls ``next`` of a loader's iterator, which torch dropped. PLE has one shared and one own expert a level:
deepctr-torch 0.3.0 fails where there are more shared ones.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import numpy as np

from benchmarks.census_shapes import INPUTS, TASKS, VOCABULARIES, Rows, census_rows

WIDTH, EXPERTS, LEVELS, TOWER = 64, 4, 2, 32
BOTTOM = (128, 128)  # of shared-bottom


def rechub_epochs(*, model: str, rows: int, batch_size: int) -> Iterator[int]:
    """torch-rechub: ``MTLTrainer`` over its ``DataGenerator``; yields rows per epoch, for ever."""
    from torch_rechub.basic.features import DenseFeature, SparseFeature
    from torch_rechub.models.multi_task import MMOE, PLE, SharedBottom
    from torch_rechub.trainers import MTLTrainer
    from torch_rechub.utils.data import DataGenerator

    found = census_rows(train=rows, valid=64)
    features = [SparseFeature(f"c{i}", vocab_size=size, embed_dim=8) for i, size in enumerate(VOCABULARIES)]
    features += [DenseFeature(f"n{i}") for i in range(INPUTS.num_numeric)]
    kinds, ends = ["classification"] * len(TASKS), [{"dims": [TOWER]}] * len(TASKS)
    expert = {"dims": [WIDTH] * LEVELS}
    match model:
        case "shared_bottom":
            net = SharedBottom(features, kinds, bottom_params={"dims": list(BOTTOM)}, tower_params_list=ends)
        case "mmoe":
            net = MMOE(features, kinds, n_expert=EXPERTS, expert_params=expert, tower_params_list=ends)
        case _:
            net = PLE(
                features,
                kinds,
                n_level=LEVELS,
                n_expert_specific=1,
                n_expert_shared=1,
                expert_params={"dims": [WIDTH]},
                tower_params_list=ends,
            )
    x, y = _columns(found), found.labels
    loader, _, _ = DataGenerator(x, y).generate_dataloader(
        x_val=x, y_val=y, x_test=x, y_test=y, batch_size=batch_size, num_workers=0
    )
    trainer = MTLTrainer(net, task_types=kinds)
    while True:
        with _silence():
            trainer.train_one_epoch(loader)
        yield len(y)


def deepctr_epochs(*, model: str, rows: int, batch_size: int) -> Iterator[int]:
    """deepctr-torch: ``compile`` and ``fit`` without metrics; yields rows per epoch, for ever."""
    with _silence():
        from deepctr_torch.inputs import DenseFeat, SparseFeat
        from deepctr_torch.models import MMOE, PLE, SharedBottom

    found = census_rows(train=rows, valid=64)
    columns = [SparseFeat(f"c{i}", size, embedding_dim=8) for i, size in enumerate(VOCABULARIES)]
    columns += [DenseFeat(f"n{i}", 1) for i in range(INPUTS.num_numeric)]
    kinds, names = ("binary",) * len(TASKS), tuple(task.name for task in TASKS)
    match model:
        case "shared_bottom":
            net = SharedBottom(
                columns,
                bottom_dnn_hidden_units=BOTTOM,
                tower_dnn_hidden_units=(TOWER,),
                task_types=kinds,
                task_names=names,
            )
        case "mmoe":
            net = MMOE(
                columns,
                num_experts=EXPERTS,
                expert_dnn_hidden_units=(WIDTH,) * LEVELS,
                gate_dnn_hidden_units=(),
                tower_dnn_hidden_units=(TOWER,),
                task_types=kinds,
                task_names=names,
            )
        case _:
            net = PLE(
                columns,
                shared_expert_num=1,
                specific_expert_num=1,
                num_levels=LEVELS,
                expert_dnn_hidden_units=(WIDTH,),
                gate_dnn_hidden_units=(),
                tower_dnn_hidden_units=(TOWER,),
                task_types=kinds,
                task_names=names,
            )
    net.compile("adam", loss=["binary_crossentropy"] * len(TASKS))
    x = _columns(found)
    while True:
        with _silence():
            net.fit(dict(x), found.labels, batch_size=batch_size, epochs=1, verbose=0)
        yield len(found.labels)


def _columns(rows: Rows) -> dict[str, np.ndarray]:
    categorical = {f"c{i}": column.astype(np.int64) for i, column in enumerate(rows.categorical.T)}
    return categorical | {f"n{i}": column.copy() for i, column in enumerate(rows.numeric.T)}


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No progress bars."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield
