"""Gumbel-Matrix routing: a matrix of tasks and components says which components a task uses in each layer.

Source: Maziarz et al., "Flexible Multi-task Networks by Learning Parameter Allocation", 2019,
https://arxiv.org/abs/1910.04915; METHODS.md section 3, also for the components over images. A stream per task through
tied slots; a layer's output is the average of the components that the task uses. A route has at least one component
per task and layer, where the paper gives zeros for none. Budget and entropy terms belong to the search.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtnas.errors import SpaceError
from mtnas.routes import Block, BlockKind, Tower
from mtnas.routes.convolutions import read_image, stages
from mtnas.routes.streams import Level, Manner, levels_of, stream_graph
from mtnas.spaces import SearchSpace
from search_spaces.options import check_range

CONVOLUTIONS = (BlockKind.CONV_3X3, BlockKind.CONV_5X5, BlockKind.CONV_7X7, BlockKind.CONV_1X7)
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
    stem = Block(kind=BlockKind.CONV_1X1, widths=(*image, channels, 1))
    graph = stream_graph(towers, _image_levels(stem, layers, channels), Manner(), stem=stem)
    return SearchSpace(name="gumbel_matrix", graph=graph)


def _image_levels(stem: Block, layers: int, channels: int) -> tuple[Level, ...]:
    """The paper's components, with stride 2 in the layers of ``STRIDED`` and normalisation after the average."""
    image = stages(stem.kind, stem.widths)[-1].result
    levels = []
    for layer in range(layers):
        stride = 2 if layer in STRIDED else 1
        source = (image.channels, image.height, image.width)
        convolutions = [Block(kind=kind, widths=(*source, channels, stride)) for kind in CONVOLUTIONS]
        pools = [Block(kind=kind, widths=(*source, stride)) for kind in (BlockKind.MAX_POOL, BlockKind.AVERAGE_POOL)]
        passing = Block(kind=BlockKind.IDENTITY)
        if stride > 1:
            passing = Block(kind=BlockKind.CONV_1X1, widths=(*source, channels, stride))
        image = stages(convolutions[0].kind, convolutions[0].widths)[-1].result
        after = Block(kind=BlockKind.GROUP_NORM, widths=(image.channels, image.height, image.width))
        components = tuple((block,) for block in (*convolutions, *pools, passing))
        instances = tuple(f"l{layer + 1}.{index}" for index in range(len(components)))
        levels.append(Level(components=components, instances=instances, after=after))
    assert read_image(levels[-1].after.widths if levels[-1].after else ()) == image
    return tuple(levels)
