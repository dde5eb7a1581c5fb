"""Search spaces by name, and how to build one from a job's options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mtnas.errors import SpaceError
from mtnas.routes import Tower
from mtnas.spaces import SearchSpace
from mtnas.tasks import Task
from search_spaces.adashare import adashare_space
from search_spaces.automtl import automtl_space
from search_spaces.branching import branching_space
from search_spaces.compositional import compositional_space
from search_spaces.controller import controller_space
from search_spaces.dselect_k import dselect_k_space
from search_spaces.gumbel_matrix import gumbel_matrix_space
from search_spaces.interaction_layers import interactions_space
from search_spaces.joint import joint_space
from search_spaces.mt_rmn import mt_rmn_space
from search_spaces.mtnas_layers import mtnas_space
from search_spaces.snr import snr_space
from search_spaces.sparse_sharing import sparse_sharing_space

CATALOGUE: dict[str, Callable[..., SearchSpace]] = {
    "adashare": adashare_space,
    "automtl": automtl_space,
    "branching": branching_space,
    "compositional": compositional_space,
    "controller": controller_space,
    "dselect_k": dselect_k_space,
    "gumbel_matrix": gumbel_matrix_space,
    "interactions": interactions_space,
    "joint": joint_space,
    "mt_rmn": mt_rmn_space,
    "mtnas": mtnas_space,
    "snr": snr_space,
    "sparse_sharing": sparse_sharing_space,
}


def build(name: str, tasks: Sequence[Task], options: Mapping[str, Any]) -> SearchSpace:
    """The catalogue's space for these tasks.

    Raises:
        SpaceError: no such space, an option it does not have, or a value that the option cannot take.
    """
    if name not in CATALOGUE:
        raise SpaceError(expected=f"one of {sorted(CATALOGUE)}", found=repr(name), where="space.name")
    function = CATALOGUE[name]
    known = _options(function)
    for option, value in options.items():
        if option not in known:
            raise SpaceError(expected=f"one of {sorted(known)}", found=option, where="space.options")
        default = known[option]
        if default is not None and not _fits(default, value):
            raise SpaceError(expected=f"a value like {default!r}", found=repr(value), where=f"space.options.{option}")
    towers = [Tower(task=task.name, reads="", hidden=task.tower, outputs=task.num_outputs) for task in tasks]
    return function(towers, **{option: _plain(value) for option, value in options.items()})


def describe() -> list[dict[str, Any]]:
    """Every space of the catalogue: name, first line of its documentation, options with defaults."""
    return [
        {"name": name, "summary": (inspect.getdoc(function) or "").split("\n")[0], "options": _options(function)}
        for name, function in sorted(CATALOGUE.items())
    ]


def _options(function: Callable[..., SearchSpace]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def _fits(default: object, value: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, tuple):
        fits_one = (
            all(_fits(default[0], item) for item in value) if isinstance(value, list | tuple) and default else True
        )
        return isinstance(value, list | tuple) and fits_one
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
