"""Encoders: tables of any widths, numbers and bags in the order that the shape says, per candidate and data seed."""

from __future__ import annotations

import pytest
import torch

from mtnas.routes import InputShape, NumberMaps
from mtnas.supernets import Initial
from mtnas.supernets.inputs.encoder import Encoder, TableRows
from tests.supernets.batches import random_features
from tests.supernets.weights import randomise

SHAPES = {
    "all": InputShape(
        vocabularies=(5, 3, 9, 2),
        embedding_widths=(2, 4, 2, 3),
        num_numeric=3,
        bag_vocabularies=(6, 4),
        bag_widths=(2, 5),
    ),
    "one width": InputShape(vocabularies=(5, 3), embedding_widths=(4, 4)),
    "numbers alone": InputShape(num_numeric=4),
    "bags alone": InputShape(bag_vocabularies=(5,), bag_widths=(3,)),
    "small and large": InputShape(
        vocabularies=(5, 9, 3, 12),
        embedding_widths=(2, 2, 4, 4),
        num_numeric=1,
        bag_vocabularies=(4, 9),
        bag_widths=(2, 2),
        large_table=16,
    ),
    "one-hot": InputShape(vocabularies=(3, 4), embedding_widths=(2, 3), one_hot=(0, 1), num_numeric=1),
    "one-hot between": InputShape(vocabularies=(5, 3, 4), embedding_widths=(2, 2, 3), one_hot=(1,)),
    "mapped numbers": InputShape(
        vocabularies=(5, 2),
        embedding_widths=(2, 1),
        one_hot=(1,),
        num_numeric=6,
        numbers=NumberMaps(columns=(0, 2), width=2, segments=(3, 2), places=(3, 4)),
        bag_vocabularies=(4,),
        bag_widths=(2,),
    ),
    "mapped numbers alone": InputShape(num_numeric=1, numbers=NumberMaps(columns=(0,), width=2, frequencies=3)),
    "one table": InputShape(vocabularies=(8,), embedding_widths=(1,), num_numeric=1),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed_of", [None, (0, 1, 2), (1, 0, 1)])
def test_every_value_stands_where_the_shape_says(name: str, seed_of: tuple[int, ...] | None) -> None:
    inputs = SHAPES[name]
    encoder = Encoder("x", inputs, Initial(seeds=[0, 1, 2], dtype=torch.float64))
    randomise(encoder, seed=0)
    batch = random_features(inputs, rows=6, seed=1, seed_of=seed_of)
    encoded = encoder(batch)
    assert encoded.shape[1:] == (6, inputs.width)
    for k in range(len(encoded)):
        s = 0 if seed_of is None else seed_of[k]
        for row in range(6):
            expected: list[float] = []
            for c, width in enumerate(inputs.embedding_widths):
                value = int(batch.categorical[s, row, c])
                if c in inputs.one_hot:
                    expected += [float(value == known) for known in range(1, inputs.vocabularies[c])]
                    continue
                table = _table(encoder, c)[k]
                assert table.shape == (inputs.vocabularies[c], width)
                expected += table[value].tolist()
            expected += [batch.numeric[s, row, column].item() for column in inputs.kept_numbers]
            if encoder.numbers is not None:
                seeds = None if seed_of is None else torch.tensor(seed_of)
                expected += encoder.numbers(batch.numeric, seeds)[k, row].tolist()
            for bag, table in zip(batch.bags, encoder.bags, strict=True):
                values = [int(v) for v, w in zip(bag.values[s, row], bag.weights[s, row], strict=True) if w > 0]
                sums = sum((table[k, v] for v in values), torch.zeros(table.shape[-1], dtype=torch.float64))
                expected += (sums / max(len(values), 1)).tolist()
            assert encoded[k, row].tolist() == pytest.approx(expected, abs=1e-12)


def _table(encoder: Encoder, feature: int) -> torch.Tensor:
    """A feature's rows ``[K, V, W]`` in the table of its width."""
    for group, table in zip(encoder.groups, encoder.tables, strict=True):
        if feature in group.features:
            first = sum(encoder.inputs.vocabularies[f] for f in group.features if f < feature)
            return table[:, first : first + encoder.inputs.vocabularies[feature]]
    raise AssertionError(feature)


def test_int32_rows_are_read() -> None:
    inputs = SHAPES["one width"]
    encoder = Encoder("x", inputs, Initial(seeds=[0]))
    batch = random_features(inputs, rows=3, seed=0, dtype=torch.float32)
    assert batch.categorical.dtype == torch.int64
    narrow = type(batch)(categorical=batch.categorical.to(torch.int32), numeric=batch.numeric, bags=())
    assert torch.equal(encoder(batch), encoder(narrow))


@pytest.mark.parametrize("seed_of", [None, (1, 0, 1)])
def test_rows_that_a_batch_reads_stand_in_for_large_tables(seed_of: tuple[int, ...] | None) -> None:
    inputs = SHAPES["small and large"]
    encoder = Encoder("x", inputs, Initial(seeds=[0, 1, 2], dtype=torch.float64))
    randomise(encoder, seed=0)
    batch = random_features(inputs, rows=6, seed=1, seed_of=seed_of)
    expected = encoder(batch)
    assert [tuple(table.shape) for table in encoder.large_tables()] == [(3, 9, 2), (3, 12, 4), (3, 9, 2)]
    turned = [table.detach().flip(1) for table in encoder.large_tables()]
    places = [table.shape[1] - 1 - reads for table, reads in zip(turned, encoder.large_reads(batch), strict=True)]
    with torch.no_grad():
        for table in encoder.large_tables():
            table.fill_(torch.nan)
    assert torch.equal(encoder(batch, TableRows(rows=turned, places=places)), expected)


def test_candidates_use_their_own_tables() -> None:
    inputs = SHAPES["all"]
    encoder = Encoder("x", inputs, Initial(seeds=[0, 1], dtype=torch.float64))
    batch = random_features(inputs, rows=4, seed=0)
    first, second = encoder(batch)
    assert not torch.equal(first, second)
    encoder(batch)[1].sum().backward()
    assert all(not table.grad[0].any() for table in encoder.parameters())  # type: ignore[index]
    assert all(table.grad[1].any() for table in encoder.parameters())  # type: ignore[index]


def test_values_of_one_feature_never_read_the_rows_of_another() -> None:
    inputs = InputShape(vocabularies=(3, 3, 3), embedding_widths=(2, 1, 2))
    encoder = Encoder("x", inputs, Initial(seeds=[0], dtype=torch.float64))
    batch = random_features(inputs, rows=50, seed=0)
    encoded = encoder(batch)
    encoded[..., 3:].sum().backward()  # the third feature
    narrow, wide = encoder.tables
    assert narrow.grad is None or not narrow.grad.any()
    assert wide.grad is not None
    assert not wide.grad[0, :3].any()
    assert wide.grad[0, 3:].any()
