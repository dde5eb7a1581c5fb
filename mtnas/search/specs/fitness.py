"""Whether a search can make the choices of a space: said before a job runs, without torch."""

from __future__ import annotations

from mtnas.errors import SpaceError
from mtnas.routes import BlockKind, Slot
from mtnas.routes.gate_settings import settings_in
from mtnas.search.specs.gradient_specs import AdashareSearch, DselectKSearch, SnrSearch
from mtnas.search.specs.search_spec import SampledSearch, Search
from mtnas.search.specs.supernet_specs import SparseSharingSearch
from mtnas.spaces import SearchSpace


def check_fitness(search: Search, space: SearchSpace) -> None:
    """Refuse a space without the choices that the search makes, or with choices that it cannot make.

    Raises:
        SpaceError: which of them.
    """
    if isinstance(search, SnrSearch | DselectKSearch | SparseSharingSearch):
        undecided = [slot.name for slot in space.graph.slots if len(slot.choices) > 1]
        if undecided:
            raise SpaceError(
                expected="slots with one block each, since this search chooses connections alone",
                found=f"several blocks in {', '.join(undecided[:3])}",
                where=f"space {space.name!r} under search {search.kind!r}",
            )
        if all(len(junction.edges) == 1 for junction in space.graph.junctions):
            raise SpaceError(
                expected="junctions with several sources, to choose from",
                found="none",
                where=f"space {space.name!r} under search {search.kind!r}",
            )
    if isinstance(search, SampledSearch):
        strange = sorted(set(search.settings.gate) - settings_in(space.graph))
        if strange:
            raise SpaceError(
                expected=f"settings of the space's gates, {sorted(settings_in(space.graph)) or 'which have none'}",
                found=", ".join(strange),
                where=f"search.settings.gate in space {space.name!r}",
            )
    if isinstance(search, AdashareSearch) and not any(may_skip(slot) for slot in space.graph.slots):
        raise SpaceError(
            expected="slots that a task may skip (a choice between a block and the identity), as in space 'adashare'",
            found="none",
            where=f"space {space.name!r} under search 'adashare'",
        )


def may_skip(slot: Slot) -> bool:
    """Whether the slot may be filled by a block or by the identity."""
    kinds = {block.kind for block in slot.choices}
    return BlockKind.IDENTITY in kinds and len(kinds) > 1
