"""The generated module's ``forward`` and ``predict``: the route in the order of computation, in words and in code."""

from __future__ import annotations

from mtnas.export.source.encoder_source import encoder_lines
from mtnas.export.source.expressions import Wiring, passed
from mtnas.export.source.gate_source import mixture, sees_rows
from mtnas.export.source.names import listed, literal
from mtnas.export.source.naming import ENCODED, weights_key
from mtnas.export.source.source_lines import INDENT, call, comment
from mtnas.routes import GateKind, Junction, Mix, Slot
from mtnas.routes.nodes import INPUT_QUERY, JUNCTION_QUERY, MEAN_QUERY, STATIC_QUERY
from mtnas.tasks import Task, TaskKind
from mtnas.units import MOST_LOGARITHM, Transform


def forward(wiring: Wiring) -> list[str]:
    """Lines of ``forward``, indented as a method."""
    lines = [*_signature(wiring), *encoder_lines(wiring), *_aligned(wiring)]
    for number, nodes in wiring.layers:
        lines += ["", *comment(f"Layer {number}", depth=2)]
        for node in nodes:
            lines += _mixing(wiring, node) if isinstance(node, Junction) else _block(wiring, node)
    lines += ["", *comment("Towers", depth=2)]
    for junction in wiring.last:
        lines += _mixing(wiring, junction)
    outputs = [
        f"{literal(tower.task)}: self.{wiring.naming.towers[tower.task]}({wiring.mixed[tower.reads]})"
        for tower in wiring.graph.towers
    ]
    products = [tower for tower in wiring.graph.towers if tower.product_of is not None]
    if not products:
        return [*lines, *call("return {", outputs, "}", depth=2)]
    lines += call("outputs = {", outputs, "}", depth=2)
    for tower in products:
        result, first = f"outputs[{literal(tower.task)}]", f"outputs[{literal(tower.product_of or '')}]"
        lines += call(f"{result} = both(", [result, first], ")", depth=2, note="of both events")
    return [*lines, f"{INDENT * 2}return outputs"]


def _aligned(wiring: Wiring) -> list[str]:
    """The end of ``forward`` and the head of ``paths``, where every task has a version of the inputs of its own."""
    if not wiring.naming.alignments:
        return []
    outputs = [
        f"{literal(task)}: self.paths(self.{name}({ENCODED}))[{literal(task)}]"
        for task, name in wiring.naming.alignments.items()
    ]
    return [
        "",
        *comment("Every task reads the shared part through its own alignment", depth=2),
        *call("return {", outputs, "}", depth=2),
        "",
        f"{INDENT}def paths(self, {ENCODED}: Tensor) -> dict[str, Tensor]:",
        f'{INDENT * 2}"""All tasks\' outputs for one version of the encoded inputs, [B, inputs]."""',
    ]


def predict(wiring: Wiring) -> list[str]:
    """Lines of ``predict``, indented as a method."""
    outputs = [f"{literal(task.name)}: {_prediction(task)}" for task in wiring.tasks]
    return [
        f"{INDENT}@torch.no_grad()",
        f"{INDENT}def predict(self, inputs: Mapping[str, Any]) -> dict[str, Tensor]:",
        f'{INDENT * 2}"""Predictions per task for rows that ``Preprocessing`` has encoded.',
        "",
        f"{INDENT * 2}A binary task gives the probability of 1, or of the second of its ``CLASSES``, [B]; a",
        f"{INDENT * 2}multiclass task that of each class, in the order of ``CLASSES``, [B, classes]; a regression",
        f"{INDENT * 2}its value in the label's unit, [B].",
        f'{INDENT * 2}"""',
        f"{INDENT * 2}outputs = self(**self.tensors(inputs))",
        *call("return {", outputs, "}", depth=2),
    ]


def _prediction(task: Task) -> str:
    output = f"outputs[{literal(task.name)}]"
    match task.kind:
        case TaskKind.BINARY:
            return f"torch.sigmoid({output}).squeeze(1)"
        case TaskKind.MULTICLASS:
            return f"torch.softmax({output}, dim=1)"
        case TaskKind.REGRESSION if task.unit.is_own:
            return f"{output}.squeeze(1)"
        case TaskKind.REGRESSION:  # in double precision: a label may have more digits than float32
            value = f"{output}.squeeze(1).double() * {task.unit.scale!r} + {task.unit.mean!r}"
            if task.unit.transform is Transform.LOG1P:
                return f"({value}).clamp(max={MOST_LOGARITHM}).expm1()"
            return value


def _signature(wiring: Wiring) -> list[str]:
    shape = wiring.schema.inputs
    arguments, notes = ["self"], []
    if shape.vocabularies:
        arguments.append("categorical: Tensor")
        notes.append(f"categorical: rows of the embeddings, int64 [B, {len(shape.vocabularies)}].")
    if shape.num_numeric:
        arguments.append("numeric: Tensor")
        notes.append(f"numeric: prepared numbers, missing indicators and vectors, [B, {shape.num_numeric}].")
    for argument in wiring.naming.bag_arguments:
        arguments.append(f"{argument}: Tensor")
        notes.append(f"{argument}: rows of the embedding, int64 [B, longest], -1 where a bag is shorter.")
    return [
        *call("def forward(", arguments, ") -> dict[str, Tensor]:", depth=1),
        f'{INDENT * 2}"""Outputs per task, [B, outputs]: logits, or the standardised value of a regression.',
        "",
        f"{INDENT * 2}Args:",
        *(f"{INDENT * 3}{note}" for note in notes),
        f'{INDENT * 2}"""',
    ]


def _block(wiring: Wiring, slot: Slot) -> list[str]:
    block = wiring.blocks[slot.name]
    if not block.widths:
        return []
    name = wiring.naming.blocks[weights_key(slot, block, wiring.widths[slot.reads])]
    return [f"{INDENT * 2}{wiring.naming.slots[slot.name]} = self.{name}({wiring.mixed[slot.reads]})"]


def _mixing(wiring: Wiring, junction: Junction) -> list[str]:
    """What the junction's readers read, in words, and the line that computes it."""
    mix = wiring.mixes[junction.name]
    sources, result = passed(junction.name, wiring.mixes, wiring.outputs, wiring.naming), wiring.mixed[junction.name]
    words = comment(f"{_readers(wiring, junction)} {listed(sources)}{_manner(wiring, mix, junction.steps)}", depth=2)
    match mix.gate:
        case GateKind.PASS:
            from_tower = junction in wiring.last
            return words if from_tower else []
        case GateKind.SUM:
            return [*words, *call(f"{result} = torch.stack(", [sources], ").sum(dim=0)", depth=2)]
        case GateKind.AVERAGE:
            return [*words, *call(f"{result} = average(", [sources], ")", depth=2)]
        case _:
            gate, query = f"self.{wiring.naming.gates[junction.name]}", wiring.query(junction.name)
            stepwise, end = junction.steps > 1 and sees_rows(mix), ")"
            if stepwise:
                sources = [f"by_step({source}, {junction.steps})" for source in sources]
                query = query if mix.query == MEAN_QUERY or not query else f"by_step({query}, {junction.steps})"
                end = f"), {junction.steps})"
            function, given = mixture(gate, mix, query)
            begin = f"{result} = {'rejoined(' if stepwise else ''}{function}("
            if mix.gate is GateKind.ATTENTION:
                named = call("sources = ", [sources], "", depth=2)
                return [*words, *named, *call(begin, [given, "sources"], end, depth=2)]
            mean = call("mean = average(", [sources], ")", depth=2) if mix.query == MEAN_QUERY else []
            return [*words, *mean, *call(begin, [given, sources], end, depth=2)]


def _readers(wiring: Wiring, junction: Junction) -> str:
    slots = [
        wiring.naming.slots[slot.name]
        for slot in wiring.graph.slots
        if slot.reads == junction.name and slot.name in wiring.naming.slots
    ]
    tasks = [f"task {tower.task}" for tower in wiring.graph.towers if tower.reads == junction.name]
    readers = [*slots, *tasks] or ["a gate"]
    return f"{listed(readers)} {'reads' if len(readers) == 1 else 'read'}"


def _manner(wiring: Wiring, mix: Mix, steps: int) -> str:
    match mix.gate:
        case GateKind.PASS:
            return ""
        case GateKind.SUM:
            return ", added up"
        case GateKind.AVERAGE:
            return ", averaged"
        case GateKind.ATTENTION:
            return ", weighed by themselves"
        case GateKind.FREE | GateKind.HARD_CONCRETE:
            return ", by learned values"
        case GateKind.CONTROLLER:
            return f", one of them per {'row' if steps == 1 else 'step'}"
        case GateKind.BINARY:
            return f", each where a gate opens it{'' if steps == 1 else ' at a step'}"
        case _ if mix.query == STATIC_QUERY:
            return ", by learned weights"
        case _ if mix.query == INPUT_QUERY:
            return ", weighed by the row's input"
        case _ if mix.query == MEAN_QUERY:
            return ", weighed by their mean"
        case _:
            return f", weighed by {wiring.mixed[mix.query.removeprefix(JUNCTION_QUERY)]}"
