"""What a new OpenAPI document takes away from those who use the old one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]


def broken(old: Document, new: Document) -> list[str]:
    """One line for everything that worked before and would not work now; additions break nobody."""
    return [*_operations(old, new), *_schemas(old, new)]


def _operations(old: Document, new: Document) -> Iterator[str]:
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            place = f"{method.upper()} {path}"
            now = new["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{place}: gone"
                continue
            if now["operationId"] != operation["operationId"]:
                yield f"{place}: operation {operation['operationId']} is called {now['operationId']}"
            known, there = ({one["name"]: one for one in each.get("parameters", ())} for each in (operation, now))
            yield from (f"{place}: parameter {name} is gone" for name in known.keys() - there.keys())
            for name, one in there.items():
                if one.get("required") and not known.get(name, {}).get("required"):
                    yield f"{place}: parameter {name} is needed"
            succeeded = {status for status in operation["responses"] if status[0] == "2"}
            yield from (f"{place}: answers {status} no more" for status in succeeded - now["responses"].keys())


def _schemas(old: Document, new: Document) -> Iterator[str]:
    sent = _sent(new)
    for name, schema in old["components"]["schemas"].items():
        now = new["components"]["schemas"].get(name)
        if now is None:
            yield f"{name}: gone"
            continue
        fields, there = schema.get("properties", {}), now.get("properties", {})
        yield from (f"{name}.{field}: gone" for field in fields.keys() - there.keys())
        if name in sent:
            new_needs = set(now.get("required", ())) - set(schema.get("required", ()))
            yield from (f"{name}.{field}: needed in requests" for field in sorted(new_needs))
        yield from (
            f"{name}: no value {value!r}" for value in schema.get("enum", ()) if value not in now.get("enum", ())
        )


def _sent(document: Document) -> set[str]:
    """Names of the schemas that requests are made of."""
    waiting = [
        body for methods in document["paths"].values() for body in (m.get("requestBody") for m in methods.values())
    ]
    found: set[str] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            name = str(one.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                waiting.append(document["components"]["schemas"][name])
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return found
