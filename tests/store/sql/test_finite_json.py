"""What goes into JSON columns, whatever it was."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtnas.store import JobState
from mtnas.store.sql.finite_json import clean, dumps

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(VALUES)
def test_every_value_becomes_strict_json_and_stays_as_it_is_then(value: Any) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = dumps(value)
    assert "\0" not in text
    text.encode()
    assert json.loads(text, parse_constant=refuse) == clean(value) == clean(clean(value))


@given(st.floats())
def test_floats_survive_exactly_or_become_null(value: float) -> None:
    stored = json.loads(dumps([value]))[0]
    assert stored == value if math.isfinite(value) else stored is None


def test_tuples_enumerations_and_numpy_numbers_become_plain() -> None:
    given = {"t": (1, 2), "e": JobState.QUEUED, "n": np.float64("nan"), "f": np.float32(0.5), "i": np.int64(3), 4: True}
    assert clean(given) == {"t": [1, 2], "e": "queued", "n": None, "f": 0.5, "i": 3, "4": True}
    assert type(clean(JobState.QUEUED)) is str


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        clean({"a": value})
