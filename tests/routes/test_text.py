"""Text of blocks, mixes and routes: what is written is read back, and nothing else is accepted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtnas.errors import SpaceError
from mtnas.routes import Block, BlockKind, GateKind, Mix, Route
from tests.routes.random_graphs import random_graph, random_route

NAMES = st.from_regex(r"[A-Za-z0-9_.\-]{1,8}", fullmatch=True)
BLOCKS = st.one_of(
    st.builds(
        Block,
        kind=st.just(BlockKind.MLP),
        widths=st.lists(st.integers(1, 9999), min_size=1, max_size=4).map(tuple),
        norm=st.booleans(),
    ),
    st.just(Block(kind=BlockKind.IDENTITY)),
)


@st.composite
def mixes(draw: st.DrawFn) -> Mix:
    inputs = tuple(draw(st.lists(NAMES, min_size=1, max_size=5, unique=True)))
    stopped = tuple(name for name in inputs if draw(st.booleans()))
    if len(inputs) == 1:
        return Mix(inputs=inputs, forward_only=stopped)
    gate = draw(st.sampled_from([gate for gate in GateKind if gate is not GateKind.PASS]))
    queries = st.sampled_from(["input", "mean", "static"]) | NAMES.map("junction:{}".format)
    return Mix(inputs=inputs, forward_only=stopped, gate=gate, query=draw(queries) if gate.takes_query else "none")


@given(BLOCKS)
def test_block_is_read_back_from_its_text(block: Block) -> None:
    assert Block.parse(block.text) == block


@settings(max_examples=60)
@given(mixes())
def test_mix_is_read_back_from_its_text(mix: Mix) -> None:
    assert Mix.parse(mix.text) == mix


@settings(max_examples=40)
@given(st.dictionaries(NAMES, mixes(), min_size=1, max_size=4), st.dictionaries(NAMES, BLOCKS, max_size=4))
def test_route_is_read_back_from_its_text(chosen: dict[str, Mix], blocks: dict[str, Block]) -> None:
    route = Route.of(chosen, blocks)
    assert Route.parse(route.text) == route


@settings(max_examples=40)
@given(st.dictionaries(NAMES, mixes(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_text_does_not_depend_on_the_order_of_writing(chosen: dict[str, Mix], random: object) -> None:
    entries = list(chosen.items())
    random.shuffle(entries)  # type: ignore[attr-defined]
    assert Route.of(dict(entries), {}).text == Route.of(chosen, {}).text


@pytest.mark.parametrize("seed", range(30))
def test_routes_of_random_graphs_are_read_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    route = random_route(rng, random_graph(rng))
    assert Route.parse(route.text) == route


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mlp",
        "mlp()",
        "mlp(,)",
        "mlp(8,,8)",
        "mlp(0)",
        "mlp(-3)",
        "mlp(8",
        "mlp(8)+",
        "cnn(8)",
        "identity(8)",
        "MLP(8)",
    ],
)
def test_text_that_is_no_block_is_refused(text: str) -> None:
    with pytest.raises(SpaceError, match="block"):
        Block.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a:",
        ":pass",
        "a:best",
        "a+b:pass",
        "a:softmax(input)",
        "a+b:softmax",
        "a+b:average(input)",
        "a+a:average",
        "a+:average",
        "a:pass extra",
    ],
)
def test_text_that_is_no_mix_is_refused(text: str) -> None:
    with pytest.raises(SpaceError):
        Mix.parse(text)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "a<-x:pass;b<-x:pass", "a<-x:pass; ", "a<-x:pass; a<-y:pass", "s=mlp"]
)
def test_text_that_is_no_route_is_refused(text: str) -> None:
    with pytest.raises(SpaceError):
        Route.parse(text)


def test_unsorted_entries_are_refused() -> None:
    mix = Mix(inputs=("x",))
    with pytest.raises(SpaceError, match="sorted by name"):
        Route(mixes=(("b", mix), ("a", mix)), blocks=())


def test_identity_has_one_spelling() -> None:
    with pytest.raises(SpaceError, match="norm"):
        Block(kind=BlockKind.IDENTITY, norm=False)


def test_refusal_says_what_was_expected_and_found() -> None:
    with pytest.raises(SpaceError) as caught:
        Mix(inputs=("a", "b"))
    assert caught.value.where == "mix"
    assert "'pass' exactly for one input" in caught.value.expected
    assert caught.value.found == "a+b:pass"
