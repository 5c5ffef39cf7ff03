"""Bytes of structures, calls, source lines and of what measurements are of: columns in JSON, never pickle."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from tracer.model.statistics import Operator, Statistics
from tracer.model.structure import Edge, Inside, InsideNode, ModuleCall, Node, SourceLine, Structure

Keys = tuple[str, ...]

_NODE = tuple("key kind op call module pass_index shapes dtype device opaque parameter inside".split())
_CALL = ("path", "class_name", "call", "parent", "training", "grad_enabled", "count", "fed_by")
_EDGE = ("source", "target", "output_nr", "input_nr")
_INSIDE = ("name", "op", "target", "inputs", "shape", "dtype")
_LINE = ("file", "line", "function")
_OPERATOR = ("name", "call", "phase", "grad_enabled", "shapes", "dtype", "device", "flops")
TABLES = ("calls", "parameters", "nodes")
# Columns that hold sequences, which JSON gives back as lists; how deep.
_NESTED = {"shapes": 2, "fed_by": 1, "inputs": 1, "shape": 1}


def encode_structure(structure: Structure) -> bytes:
    """JSON: an object of columns, each distinct value of a column once."""
    return _to_json(
        {
            "nodes": _columns(structure.nodes, _NODE),
            "edges": _columns(structure.edges, _EDGE),
            "calls": _columns(structure.calls, _CALL),
            "unreached": structure.unreached,
            "insides": [
                {
                    "title": inside.title,
                    "nodes": _columns(inside.nodes, _INSIDE),
                    "lines": _line_columns([node.source for node in inside.nodes]),
                }
                for inside in structure.insides
            ],
        }
    )


def decode_structure(data: bytes) -> Structure:
    """What format 1 did not have yet (data flow between calls, insides) gets the defaults of its records."""
    content = json.loads(data)
    return Structure(
        tuple(Node(**row) for row in _records(content["nodes"], _NODE)),
        tuple(Edge(**row) for row in _records(content["edges"], _EDGE)),
        tuple(ModuleCall(**row) for row in _records(content["calls"], _CALL)),
        tuple(content["unreached"]),
        tuple(_inside(inside) for inside in content.get("insides", ())),
    )


def encode_calls(calls: Sequence[ModuleCall]) -> bytes:
    return _to_json(_columns(calls, _CALL))


def decode_calls(data: bytes) -> tuple[ModuleCall, ...]:
    return tuple(ModuleCall(**row) for row in _records(json.loads(data), _CALL))


def encode_lines(lines: Sequence[SourceLine | None]) -> bytes:
    """A line for each node of a structure, in its order."""
    return _to_json(_line_columns(lines))


def decode_lines(data: bytes) -> tuple[SourceLine | None, ...]:
    return _lines(json.loads(data))


def encode_layout(statistics: Statistics) -> bytes:
    """What the numbers of a step's measurements are of (see `measurements`)."""
    tables = {name: getattr(statistics, name) for name in TABLES}
    return _to_json(
        {
            "tables": {name: {"keys": table.keys, "columns": table.columns} for name, table in tables.items()},
            "operators": _columns(statistics.operators, _OPERATOR),
        }
    )


@lru_cache(maxsize=8)
def decode_layout(data: bytes) -> tuple[tuple[tuple[str, Keys, Keys], ...], tuple[Operator, ...]]:
    """The name, keys and columns of each table, and the operators. Most steps of a run have the layout of the step
    before, and to decode one takes as long as to draw it."""
    content = json.loads(data)
    operators = tuple(Operator(**row) for row in _records(content["operators"], _OPERATOR))
    tables = content["tables"]
    return tuple((name, tuple(tables[name]["keys"]), tuple(tables[name]["columns"])) for name in TABLES), operators


def _columns(records: Sequence[Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: _column([getattr(record, name) for record in records]) for name in names}


def _column(values: list[Any]) -> dict[str, list[Any]]:
    distinct: dict[Any, int] = {}
    at = [distinct.setdefault((type(value), value), len(distinct)) for value in values]
    return {"values": [value for _, value in distinct], "at": at}


def _records(columns: dict[str, Any], names: Iterable[str]) -> list[dict[str, Any]]:
    """Rows of the columns there are; an older format lacks some of `names`."""
    known = [name for name in names if name in columns]
    spread = [_spread(columns[name], _NESTED.get(name, 0)) for name in known]
    return [dict(zip(known, row, strict=True)) for row in zip(*spread, strict=True)]


def _spread(column: dict[str, list[Any]], depth: int) -> list[Any]:
    values = [_tuple(value, depth) for value in column["values"]]
    return [values[at] for at in column["at"]]


def _tuple(value: Any, depth: int) -> Any:
    return value if depth == 0 or value is None else tuple(_tuple(item, depth - 1) for item in value)


def _line_columns(lines: Sequence[SourceLine | None]) -> dict[str, Any]:
    return {name: _column([getattr(line, name, None) for line in lines]) for name in _LINE}


def _lines(columns: dict[str, Any]) -> tuple[SourceLine | None, ...]:
    rows = _records(columns, _LINE)
    return tuple(None if row["file"] is None else SourceLine(**row) for row in rows)


def _inside(content: dict[str, Any]) -> Inside:
    rows = zip(_records(content["nodes"], _INSIDE), _lines(content["lines"]), strict=True)
    return Inside(content["title"], tuple(InsideNode(**row, source=line) for row, line in rows))


def _to_json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=True).encode()
