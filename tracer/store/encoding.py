"""Bytes of structures, calls, source lines and of what measurements are of: columns in JSON, never pickle."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from tracer.model.statistics import Operator, Statistics
from tracer.model.structure import Edge, Inside, InsideNode, ModuleCall, Node, SourceLine, Structure
from tracer.store.damage import DamageError
from tracer.store.parsing import parsed
from tracer.store.references import check_calls, check_references

Keys = tuple[str, ...]
Types = dict[str, tuple[type, ...]]

# The columns of each kind of record, and what their values may be: whoever wrote the tape, no text becomes a number.
_TEXT, _NUMBER, _FLAG, _NOTHING = str, int, bool, type(None)
_NODE: Types = {
    "key": (_TEXT,),
    "kind": (_TEXT,),
    "op": (_TEXT,),
    "call": (_NUMBER, _NOTHING),
    "module": (_TEXT, _NOTHING),
    "pass_index": (_NUMBER,),
    "shapes": (_NUMBER,),
    "dtype": (_TEXT,),
    "device": (_TEXT,),
    "opaque": (_FLAG,),
    "parameter": (_TEXT, _NOTHING),
    "inside": (_NUMBER, _NOTHING),
}
_CALL: Types = {
    "path": (_TEXT,),
    "class_name": (_TEXT,),
    "call": (_NUMBER,),
    "parent": (_NUMBER, _NOTHING),
    "training": (_FLAG,),
    "grad_enabled": (_FLAG,),
    "count": (_NUMBER,),
    "fed_by": (_NUMBER,),
}
_EDGE: Types = dict.fromkeys(("source", "target", "output_nr", "input_nr"), (_NUMBER,))
_INSIDE: Types = {
    "name": (_TEXT,),
    "op": (_TEXT,),
    "target": (_TEXT,),
    "inputs": (_NUMBER,),
    "shape": (_NUMBER, _NOTHING),
    "dtype": (_TEXT,),
}
_LINE: Types = {"file": (_TEXT, _NOTHING), "line": (_NUMBER, _NOTHING), "function": (_TEXT, _NOTHING)}
_OPERATOR: Types = {
    "name": (_TEXT,),
    "call": (_TEXT, _NOTHING),
    "phase": (_TEXT,),
    "grad_enabled": (_FLAG,),
    "shapes": (_NUMBER, _NOTHING),
    "dtype": (_TEXT,),
    "device": (_TEXT,),
    "flops": (_NUMBER, _NOTHING),
}
_ODD = "a column in it holds what it cannot"
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
    content = parsed(data)
    structure = Structure(
        tuple(Node(**row) for row in _records(content["nodes"], _NODE)),
        tuple(Edge(**row) for row in _records(content["edges"], _EDGE)),
        tuple(ModuleCall(**row) for row in _records(content["calls"], _CALL)),
        _texts(content["unreached"]),
        tuple(_inside(inside) for inside in content.get("insides", ())),
    )
    check_references(structure)
    return structure


def encode_calls(calls: Sequence[ModuleCall]) -> bytes:
    return _to_json(_columns(calls, _CALL))


def decode_calls(data: bytes) -> tuple[ModuleCall, ...]:
    calls = tuple(ModuleCall(**row) for row in _records(parsed(data), _CALL))
    check_calls(calls)
    return calls


def encode_lines(lines: Sequence[SourceLine | None]) -> bytes:
    """A line for each node of a structure, in its order."""
    return _to_json(_line_columns(lines))


def decode_lines(data: bytes) -> tuple[SourceLine | None, ...]:
    return _lines(parsed(data))


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
    content = parsed(data)
    operators = tuple(Operator(**row) for row in _records(content["operators"], _OPERATOR))
    tables = content["tables"]
    return tuple((name, _texts(tables[name]["keys"]), _texts(tables[name]["columns"])) for name in TABLES), operators


def _texts(values: list[Any]) -> Keys:
    return tuple(_checked(values, (_TEXT,), 0))


def _columns(records: Sequence[Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: _column([getattr(record, name) for record in records]) for name in names}


def _column(values: list[Any]) -> dict[str, list[Any]]:
    distinct: dict[Any, int] = {}
    at = [distinct.setdefault((type(value), value), len(distinct)) for value in values]
    return {"values": [value for _, value in distinct], "at": at}


def _records(columns: dict[str, Any], types: Types) -> list[dict[str, Any]]:
    """Rows of the columns there are; an older format lacks some of those in `types`."""
    known = [name for name in types if name in columns]
    spread = [_spread(columns[name], types[name], _NESTED.get(name, 0)) for name in known]
    return [dict(zip(known, row, strict=True)) for row in zip(*spread, strict=True)]


def _spread(column: dict[str, list[Any]], types: tuple[type, ...], depth: int) -> list[Any]:
    values, places = _checked(column["values"], types, depth), column["at"]
    if min(places, default=0) < 0:
        raise DamageError("a column in it has less values than it says")
    return [values[at] for at in places]


def _checked(values: list[Any], types: tuple[type, ...], depth: int) -> list[Any]:
    """As they are but for lists, `depth` deep, which become tuples."""
    if depth:
        inner = [value if value is None else tuple(_checked(value, types, depth - 1)) for value in values]
        if type(values) is not list or (None in inner and _NOTHING not in types):
            raise DamageError(_ODD)
        return inner
    if type(values) is not list or not {*map(type, values)} <= {*types}:
        raise DamageError(_ODD)
    return values


def _line_columns(lines: Sequence[SourceLine | None]) -> dict[str, Any]:
    return {name: _column([getattr(line, name, None) for line in lines]) for name in _LINE}


def _lines(columns: dict[str, Any]) -> tuple[SourceLine | None, ...]:
    rows = _records(columns, _LINE)
    return tuple(None if row["file"] is None else SourceLine(**row) for row in rows)


def _inside(content: dict[str, Any]) -> Inside:
    rows = zip(_records(content["nodes"], _INSIDE), _lines(content["lines"]), strict=True)
    [title] = _texts([content["title"]])
    return Inside(title, tuple(InsideNode(**row, source=line) for row, line in rows))


def _to_json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=True).encode()
