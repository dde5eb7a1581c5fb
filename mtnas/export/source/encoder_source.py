"""The encoder in a generated module: embeddings and maps of numbers, the expression of its vector, and its weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mtnas.export.source.expressions import Wiring
from mtnas.export.source.names import listed, literal
from mtnas.export.source.naming import Naming
from mtnas.export.source.source_lines import INDENT, call, comment
from mtnas.supernets import Supernet
from mtnas.supernets.inputs.encoder import Encoder
from mtnas.supernets.inputs.mapped_numbers import MappedNumbers

ROW_ZERO = "Embeddings; row 0 is for values that are missing or were not in the training rows"


def encoder_attributes(wiring: Wiring) -> list[str]:
    """The lines of ``__init__`` that make embeddings and maps of numbers."""
    return [*_embeddings(wiring), *_number_maps(wiring)]


def _embeddings(wiring: Wiring) -> list[str]:
    shape = wiring.schema.inputs
    schema = wiring.schema
    columns = [column.name for part in (schema.categorical, schema.binned, schema.bags) for column in part]
    lines: list[str] = []
    for encoder in wiring.encoders:
        tables = zip(
            (*wiring.naming.tables[encoder], *wiring.naming.bags[encoder]),
            (*shape.vocabularies, *shape.bag_vocabularies),
            (*shape.embedding_widths, *shape.bag_widths),
            columns,
            strict=True,
        )
        for name, rows, width, column in tables:
            if not name:
                continue
            note = f"column {literal(column)}" + (f", {encoder}" if len(wiring.encoders) > 1 else "")
            lines += call(f"self.{name} = nn.Embedding(", [str(rows), str(width)], ")", depth=2, note=note)
    return [*comment(ROW_ZERO, depth=2), *lines] if lines else []


def _number_maps(wiring: Wiring) -> list[str]:
    maps = wiring.schema.inputs.numbers
    if maps is None:
        return []
    lines = comment(f"Numbers of columns {listed(literal(c.name) for c in wiring.schema.numeric if c.mapped)}", depth=2)
    for encoder in wiring.encoders:
        sizes: list[str | list[str]]
        if maps.segments:
            kind, sizes = "PiecewiseNumbers", [[str(segments) for segments in maps.segments], f"width={maps.width}"]
        else:
            count = 1 if maps.shared else len(maps.columns)
            sizes = [str(len(maps.columns)), str(maps.width), f"frequencies={maps.frequencies}", f"maps={count}"]
            kind = "PeriodicNumbers"
        lines += call(f"self.{wiring.naming.numbers[encoder]} = {kind}(", sizes, ")", depth=2)
    return lines


def encoder_lines(wiring: Wiring) -> list[str]:
    """The lines of ``forward`` that put every encoder's vector together."""
    lines: list[str] = []
    for encoder in wiring.encoders:
        result = wiring.naming.encoded[encoder]
        parts = [
            f"self.{table}(categorical[:, {index}])"
            if table
            else f"indicators(categorical[:, {index}], {wiring.schema.inputs.embedding_widths[index]})"
            for index, table in enumerate(wiring.naming.tables[encoder])
        ]
        parts += _numbers(wiring, encoder)
        bags = zip(wiring.naming.bags[encoder], wiring.naming.bag_arguments, strict=True)
        parts += [f"mean_of_bag(self.{table}, {argument})" for table, argument in bags]
        if len(parts) == 1:
            lines.append(f"{INDENT * 2}{result} = {parts[0]}")
        else:
            lines += call(f"{result} = torch.cat(", [parts, "dim=1"], ")", depth=2)
    return lines


def _numbers(wiring: Wiring, encoder: str) -> list[str]:
    """Numeric inputs as they are, then those that become vectors."""
    shape = wiring.schema.inputs
    if shape.numbers is None:
        return ["numeric"] if shape.num_numeric else []
    kept = [_columns(shape.kept_numbers)] if shape.kept_numbers else []
    given = [_columns(places) for places in (shape.numbers.columns, shape.numbers.places) if places]
    return [*kept, f"self.{wiring.naming.numbers[encoder]}({', '.join(given)})"]


def _columns(places: Sequence[int]) -> str:
    if list(places) == list(range(places[0], places[-1] + 1)):
        return f"numeric[:, {places[0]}:{places[-1] + 1}]"
    return f"numeric[:, {list(places)}]"


def encoder_weights(frozen: Supernet, naming: Naming) -> dict[str, Tensor]:
    """Weights of the encoders by the names of their attributes."""
    state: dict[str, Tensor] = {}
    for node, encoder in zip(frozen.graph.encoders, frozen.encoders, strict=True):
        assert isinstance(encoder, Encoder)
        for group, table in zip(encoder.groups, encoder.tables, strict=True):
            parts = table[0].split([frozen.inputs.vocabularies[feature] for feature in group.features])
            names = naming.tables[node.name]
            state |= {f"{names[f]}.weight": part for f, part in zip(group.features, parts, strict=True)}
        for name, table in zip(naming.bags[node.name], encoder.bags, strict=True):
            state[f"{name}.weight"] = table[0]
        if encoder.numbers is not None:
            name = naming.numbers[node.name]
            state |= {f"{name}.{part}": tensor for part, tensor in _number_weights(encoder.numbers).items()}
    return state


def _number_weights(numbers: MappedNumbers) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {"weight": numbers.weight[0], "bias": numbers.bias[0]}
    if numbers.piecewise is not None:
        found["slopes"] = numbers.piecewise.slopes[0]
    if numbers.periodic is not None:
        waves = numbers.periodic
        found |= {"frequencies": waves.frequencies[0], "phases": waves.phases[0], "waves": waves.weights[0]}
    return found
