"""Checks this export: its files are as written, and the network gives the outputs it gave after training.

Run ``python check.py``; it needs torch, safetensors and numpy. Exit code 0: all is well, 1: something differs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

TOLERANCE = 1e-5
MOST_ROWS = 8


def main(folder: Path) -> int:
    """Check the export in this folder and say what was found."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    problems = changed_files(folder, manifest["files"])
    if not problems:
        predictions, worst, problems = compare(folder)
        print(*table(predictions), sep="\n")
        print(f"largest difference to the expected outputs: {worst:.2g} (at most {TOLERANCE:g} is allowed)")
    for problem in problems:
        print(f"FAILED {problem}")
    print("check failed" if problems else f"check passed: {len(manifest['files'])} files")
    return 1 if problems else 0


def changed_files(folder: Path, digests: Mapping[str, str]) -> list[str]:
    """What is wrong with the files, by their sha256."""
    problems = []
    for name, digest in sorted(digests.items()):
        path = folder / name
        if not path.is_file():
            problems.append(f"{name}: the file is missing")
        elif sha256(path.read_bytes()).hexdigest() != digest:
            problems.append(f"{name}: its sha256 is not the manifest's")
    return problems


def compare(folder: Path) -> tuple[dict[str, Any], float, list[str]]:
    """Predictions for the example rows, the largest difference to the expected outputs, and what differs."""
    sys.path.insert(0, str(folder))
    torch, safetensors = import_module("torch"), import_module("safetensors.torch")
    model, preprocessing = import_module("model").load(folder)
    rows = json.loads((folder / "example_rows.json").read_text(encoding="utf-8"))
    expected = safetensors.load_file(folder / "expected_outputs.safetensors")
    inputs = preprocessing(rows)
    with torch.no_grad():
        outputs = model(**model.tensors(inputs))
    said = {"model.py": outputs}
    if (folder / "model.pt2").is_file():
        program = torch.export.load(folder / "model.pt2").module()
        with torch.no_grad():
            said["model.pt2"] = program(model.tensors(inputs))
    worst, problems = 0.0, []
    for name, found in said.items():
        largest, different = differences(found, expected)
        worst = max(worst, largest)
        problems += [f"{name}: {text}" for text in different]
    return model.predict(inputs), worst, problems


def differences(outputs: Mapping[str, Any], expected: Mapping[str, Any]) -> tuple[float, list[str]]:
    """The largest difference to the expected outputs, and what differs."""
    worst, problems = 0.0, []
    if set(outputs) != set(expected):
        problems.append(f"tasks: expected {sorted(expected)}, found {sorted(outputs)}")
    for task in sorted(set(outputs) & set(expected)):
        if outputs[task].shape != expected[task].shape:
            shapes = tuple(expected[task].shape), tuple(outputs[task].shape)
            problems.append(f"task {task}: expected outputs of shape {shapes[0]}, found {shapes[1]}")
            continue
        difference = (outputs[task] - expected[task]).abs() / expected[task].abs().clamp(min=1)
        largest = float(difference.nan_to_num(nan=float("inf")).max())
        worst = max(worst, largest)
        if largest > TOLERANCE:
            problems.append(f"task {task}: outputs differ by {largest:.2g} from the expected ones")
    return worst, problems


def table(predictions: Mapping[str, Any]) -> list[str]:
    """The first predictions as lines of text: a probability, a class with its probability, or a value."""
    num_rows = min(MOST_ROWS, *(len(values) for values in predictions.values()))
    rows = [[str(row), *(cell(values[row].tolist()) for values in predictions.values())] for row in range(num_rows)]
    cells = [["row", *predictions], *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in cells]


def cell(value: float | Sequence[float]) -> str:
    """One prediction as text."""
    if isinstance(value, float):
        return f"{value:.4f}"
    likeliest = max(range(len(value)), key=value.__getitem__)
    return f"class {likeliest} ({value[likeliest]:.2f})"


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
