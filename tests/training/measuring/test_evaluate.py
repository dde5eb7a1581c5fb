"""Evaluation of packs: every row once, without noise, and the one score that checkpoints are chosen by."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from mtnas.errors import DataError
from mtnas.tasks import Metric, Task, TaskKind
from mtnas.training.measuring import evaluate as evaluation
from mtnas.training.measuring.evaluate import evaluate, label_scales, of_candidate, predict, score
from mtnas.training.recipe import Recipe
from mtnas.training.trainer import PackTrainer
from mtnas.trials import Settings
from tests.training.problem import PARTS, TASKS, arrays, resident, routes_of_one_shape, trainer, with_labels

RECIPE = Recipe(batch_size=32, epochs=1, precision="float64")


def pack(num_candidates: int = 2, *, dropout: float = 0.0, labels_of: str | None = None) -> PackTrainer:
    graph, routes = routes_of_one_shape(num_candidates)
    settings = [Settings(seed=k, data_seed=k, dropout=dropout) for k in range(num_candidates)]
    found = arrays()
    if labels_of is not None:
        found = with_labels(found, labels_of, lambda labels: np.where(np.arange(3) == 0, np.nan, labels))
    return trainer(graph, routes, settings, RECIPE, data=resident(found))


def test_predictions_are_those_of_the_rows_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    made = pack()
    whole = predict(made.net, made.selection, made.data, ("valid", "test"))
    parts = [predict(made.net, made.selection, made.data, (part,)) for part in ("valid", "test")]
    monkeypatch.setattr(evaluation, "EVALUATION_ROWS", 7)
    in_small_bites = predict(made.net, made.selection, made.data, ("valid", "test"))
    for t, task in enumerate(TASKS):
        assert whole[t].shape == (2, PARTS["valid"] + PARTS["test"], task.num_outputs)
        torch.testing.assert_close(whole[t], torch.cat([parts[0][t], parts[1][t]], dim=1), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(whole[t], in_small_bites[t], rtol=1e-12, atol=1e-12)


def test_metrics_are_those_of_another_library() -> None:
    made = pack()
    outputs = predict(made.net, made.selection, made.data, ("test",))
    found = made.evaluate("test")
    labels = made.data.labels_of(("test",)).numpy()
    for k in range(2):
        known = ~np.isnan(labels[:, 0])
        logits, truth = outputs[0][k, known, 0].numpy(), labels[known, 0]
        assert found["bought"]["auc"][k].item() == pytest.approx(roc_auc_score(truth, logits))
        assert found["bought"]["log_loss"][k].item() == pytest.approx(log_loss(truth, 1 / (1 + np.exp(-logits))))
        known = ~np.isnan(labels[:, 1])
        errors = outputs[1][k, known, 0].numpy() - labels[known, 1]
        assert found["spent"]["rmse"][k].item() == pytest.approx(math.sqrt((errors**2).mean()))
        known = ~np.isnan(labels[:, 2])
        hits = outputs[2][k, known].numpy().argmax(-1) == labels[known, 2]
        assert found["sort"]["accuracy"][k].item() == pytest.approx(hits.mean())


def test_evaluation_is_without_noise_and_repeats_itself() -> None:
    calm, noisy = pack(), pack(dropout=0.9)
    first, second, dropped = calm.evaluate("valid"), calm.evaluate("valid"), noisy.evaluate("valid")
    for task, metrics in first.items():
        for name, values in metrics.items():
            assert torch.equal(values, second[task][name])
            assert torch.equal(values, dropped[task][name])


def test_evaluation_builds_no_graph_and_moves_no_weight() -> None:
    made = pack()
    before = made.state()["weights"]
    assert not any(v.requires_grad for metrics in made.evaluate("valid").values() for v in metrics.values())
    assert torch.equal(made.state()["weights"], before)


def test_a_part_without_labels_of_a_task_has_no_figure_for_it() -> None:
    found = pack(labels_of="valid").evaluate("valid")
    assert all(values.isnan().all() for values in found["bought"].values())
    assert all(values.isfinite().all() for task in ("spent", "sort") for values in found[task].values())


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(DataError, match="holdout"):
        pack().evaluate("holdout")


def test_the_score_is_the_mean_of_the_judged_metrics_with_errors_negated() -> None:
    tasks = (TASKS[0], TASKS[1], replace(TASKS[2], metric=Metric.LOG_LOSS))
    metrics = {
        "bought": {"auc": torch.tensor([0.8, 0.6]), "log_loss": torch.tensor([9.0, 9.0])},
        "spent": {"rmse": torch.tensor([4.0, 1.0])},
        "sort": {"log_loss": torch.tensor([0.5, 0.25])},
    }
    found = score(tasks, metrics, {"bought": 1.0, "spent": 2.0, "sort": 1.0})
    torch.testing.assert_close(found, torch.tensor([(0.8 - 2.0 - 0.5) / 3, (0.6 - 0.5 - 0.25) / 3]))


def test_the_unit_of_a_regressions_label_does_not_matter_to_the_score() -> None:
    """In cents or in euros: the checkpoint chosen is the same."""
    tasks = (Task(name="spent", kind=TaskKind.REGRESSION, label="spent"),)
    euros = torch.tensor([1.5, 1.2])
    assert torch.allclose(
        score(tasks, {"spent": {"rmse": euros}}, {"spent": 3.0}),
        score(tasks, {"spent": {"rmse": 100 * euros}}, {"spent": 300.0}),
    )


def test_label_scales_are_deviations_over_the_labelled_rows_of_the_parts() -> None:
    found = arrays()
    scales = label_scales(resident(found), TASKS, ("train", "search"))
    rows = np.concatenate([found.parts["train"], found.parts["search"]])
    for t, task in enumerate(TASKS):
        assert scales[task.name] == pytest.approx(np.nanstd(found.labels[rows, t].astype(float)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, 3.0])
def test_labels_that_do_not_vary_have_scale_one(value: float) -> None:
    constant = with_labels(arrays(), "train", lambda labels: np.where(np.arange(3) == 1, value, labels))
    assert label_scales(resident(constant), TASKS, ("train",))["spent"] == 1.0


def test_one_candidates_metrics_are_plain_numbers() -> None:
    made = pack()
    found = evaluate(made.net, made.selection, made.data, TASKS, ("test",))
    for k in range(2):
        plain = of_candidate(found, k)
        assert plain.keys() == {"bought", "spent", "sort"}
        for task, metrics in plain.items():
            for name, value in metrics.items():
                assert type(name) is str
                assert type(value) is float
                assert value == found[task][name][k].item()


def test_rows_that_make_many_numbers_are_evaluated_few_at_a_time() -> None:
    assert evaluation.rows_at_once(100) == evaluation.EVALUATION_ROWS
    assert evaluation.rows_at_once(evaluation.EVALUATION_NUMBERS // 50) == 50
    assert evaluation.rows_at_once(10 * evaluation.EVALUATION_NUMBERS) == 1
