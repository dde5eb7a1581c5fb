"""Gumbel-Matrix routing: a matrix of tasks and components says which components a task uses in each layer.

Source: Maziarz et al., "Flexible Multi-task Networks by Learning Parameter Allocation", 2019,
https://arxiv.org/abs/1910.04915; METHODS.md section 3, also for the components over images. A stream per task through
tied slots; a layer's output is the average of the components that the task uses, sum_i z_(t,i) f_i(x_t) / sum_i
z_(t,i). A route has at least one component per task and layer, where the paper gives zeros for none. Budget and entropy
terms belong to the search.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.errors import SpaceError
from mtnas.routes import Block, BlockKind, Tower
from mtnas.routes.building.image_levels import image_levels, stem_of
from mtnas.routes.building.streams import Manner, levels_of, stream_graph
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range

STRIDED = (0, 1, 3, 4, 6)


def gumbel_matrix_space(
    towers: Sequence[Tower],
    *,
    layers: int = 2,
    components: int = 4,
    width: int = 64,
    image: tuple[int, ...] = (),
    channels: int = 48,
    norm: bool = True,
) -> SearchSpace:
    """Every task uses some components of each layer, averaged (Gumbel-Matrix); for vectors or for images.

    Args:
        towers: the tasks' towers.
        layers: routed layers, at most 16.
        components: components per layer for vectors, at most 32; for images there are the paper's seven.
        width: units of each component for vectors.
        image: channels, rows and columns of the images that the numeric inputs hold; empty for vectors.
        channels: channels of every convolution.
        norm: whether components normalise their units.

    Raises:
        SpaceError: a number outside its range, or an image of other than three numbers.
    """
    check_range("layers", layers, most=16)
    check_range("components", components, most=32)
    check_range("width", width, most=4096)
    if not image:
        block = Block(kind=BlockKind.MLP, widths=(width,), norm=norm)
        levels = levels_of([((block,),) * components] * layers)
        return SearchSpace(name="gumbel_matrix", graph=stream_graph(towers, levels, Manner()))
    if len(image) != 3:
        raise SpaceError(expected="channels, rows, columns", found=str(image), where="space.options.image")
    stem = stem_of(image, channels)
    found = image_levels(stem, strides=[2 if layer in STRIDED else 1 for layer in range(layers)], norm=norm)
    graph = stream_graph(towers, found, Manner(), stem=stem)
    return SearchSpace(name="gumbel_matrix", graph=graph)
