"""Every list and text of a specification has a greatest length, and one that is too long is not looked into."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from api.requests.schemas import AddedTasks, Extension, NewDataset
from mtnas.data.lengths import MAX_DEPTH, MAX_OPTION_VALUES, Document, Options
from mtnas.problems import MAX_ERRORS, from_validation
from mtnas.spec import JobSpec
from tests.spec.test_job_spec import LEAST, problems


def unbounded(schema: Any, place: str = "") -> Iterator[str]:
    """Places of a JSON schema where a value may be as long as its writer likes."""
    if isinstance(schema, list):
        for index, one in enumerate(schema):
            yield from unbounded(one, f"{place}/{index}")
    if not isinstance(schema, dict):
        return
    kind = schema.get("type")
    if kind == "array" and not {"maxItems"} & set(schema):
        yield place
    if kind == "string" and not {"maxLength", "enum", "const"} & set(schema):
        yield place
    if kind == "object" and not {"maxProperties", "properties"} & set(schema):
        yield place
    for name, one in schema.items():
        if name not in ("default", "examples"):
            yield from unbounded(one, f"{place}/{name}")


@pytest.mark.parametrize("model", [JobSpec, NewDataset, Extension, AddedTasks])
def test_every_list_and_text_of_a_request_has_a_greatest_length(model: type[BaseModel]) -> None:
    assert list(unbounded(model.model_json_schema())) == []


@pytest.mark.parametrize("items", [257, 100_000])
def test_a_list_that_is_too_long_is_one_problem_however_wrong_its_items_are(items: int) -> None:
    (problem,) = problems(LEAST | {"tasks": [{}] * items})
    assert (problem.where, problem.expected, problem.found) == ("tasks", "at most 256 items", f"{items} items")


def test_many_unknown_fields_are_one_problem() -> None:
    (problem,) = problems(LEAST | {"training": {f"x{n}": 1 for n in range(5000)}})
    assert (problem.where, problem.found) == ("training", "5000 items")


def test_no_more_problems_are_told_than_a_reader_can_use() -> None:
    found = problems(LEAST | {"tasks": [{"name": str(n)} for n in range(256)]})
    assert len(found) == MAX_ERRORS


def test_free_documents_are_bounded_in_depth_and_breadth() -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH + 2):
        deep = [deep]
    for value in ({"a": deep}, {"a": [1] * (MAX_OPTION_VALUES + 1)}, {str(n): n for n in range(65)}):
        with pytest.raises(ValidationError):
            TypeAdapter(Options).validate_python(value)
    with pytest.raises(ValidationError):
        TypeAdapter(Document).validate_python({"graph": deep})
    assert TypeAdapter(Options).validate_python({"widths": [1] * MAX_OPTION_VALUES})


def test_what_was_found_is_told_briefly_without_writing_it_out() -> None:
    document = LEAST | {"training": {"epochs": [list(range(1000))] * 1000}}
    with pytest.raises(ValidationError) as caught:
        JobSpec.model_validate(document)
    (problem,) = from_validation(caught.value.errors(), document)
    assert len(problem.found) <= 203
