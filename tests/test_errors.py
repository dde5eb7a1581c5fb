"""The error tree: drawn as it is, each error the built-in it resembles, able to travel between processes."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from mtnas import errors
from mtnas.errors import MtnasError


def all_errors() -> list[type[MtnasError]]:
    found, waiting = [], [MtnasError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting.extend(sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__)
    return sorted(set(found), key=lambda kind: kind.__name__)


ALL = all_errors()


def test_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn: dict[str, tuple[str, str]] = {}
    parents: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([\s│├└─]*)(\w+Error)(?:\((\w+)\))?", line)
        if match is None or "MtnasError" not in (match[2], *drawn):
            continue
        depth = len(match[1])
        while parents and parents[-1][0] >= depth:
            parents.pop()
        drawn[match[2]] = (parents[-1][1] if parents else "Exception", match[3] or "")
        parents.append((depth, match[2]))
    assert set(drawn) == {kind.__name__ for kind in ALL}
    for kind in ALL:
        parent, builtin = drawn[kind.__name__]
        bases = [base.__name__ for base in kind.__bases__]
        assert bases == [parent, *([builtin] if builtin else [])]


@pytest.mark.parametrize("kind", ALL)
def test_message_says_place_expectation_and_finding(kind: type[MtnasError]) -> None:
    error = kind(expected="2 tasks", found="3", where="tasks")
    assert str(error) == "tasks: expected 2 tasks, found 3"
    assert (error.expected, error.found, error.where) == ("2 tasks", "3", "tasks")
    assert isinstance(error, Exception)


@pytest.mark.parametrize("kind", ALL)
def test_error_survives_the_way_to_another_process(kind: type[MtnasError]) -> None:
    error = kind(expected="a", found="b", where="c")
    for again in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert type(again) is kind
        assert str(again) == str(error)
        assert (again.expected, again.found, again.where) == ("a", "b", "c")


@pytest.mark.parametrize("kind", ALL)
def test_error_takes_its_parts_by_name_only(kind: type[MtnasError]) -> None:
    with pytest.raises(TypeError):
        kind("a", "b", "c")  # type: ignore[call-arg,misc]
    with pytest.raises(TypeError):
        kind(expected="a", found="b")  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", ALL)
def test_error_says_in_a_sentence_what_it_means(kind: type[MtnasError]) -> None:
    assert (kind.__doc__ or "").split("\n")[0].endswith(".")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.SpaceError, ValueError),
        (errors.TaskError, ValueError),
        (errors.DataError, ValueError),
        (errors.DataAccessError, PermissionError),
        (errors.DivergedError, RuntimeError),
        (errors.OutOfMemoryError, MemoryError),
        (errors.NotFoundError, KeyError),
        (errors.ServiceError, ConnectionError),
    ],
)
def test_error_is_caught_as_the_builtin_it_resembles(kind: type[MtnasError], builtin: type[Exception]) -> None:
    with pytest.raises(builtin, match="here: expected one, found none"):
        raise kind(expected="one", found="none", where="here")
