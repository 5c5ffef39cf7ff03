"""What can be typed into the fields of a breakpoint, from the graph on screen."""

import glob
from collections.abc import Iterable

from gui.drawing import Drawing
from gui.session import Session
from tracer.conditions import scalars_of
from tracer.model.breakpoints import Breakpoint, Field
from tracer.model.call_keys import call_keys
from tracer.model.labels import op_title

ID_DIGITS = 10
"""As many of a structure's id as the inspector shows."""


def suggestions(session: Session, field: Field) -> tuple[str, ...]:
    """Completions of a field, sorted: module paths and classes, parameters, ops, structures; none for others."""
    if field.name == "id":
        timeline = session.timeline
        return tuple(timeline.topology_id(number)[:ID_DIGITS] for number in range(timeline.structure_count))
    if session.drawing is None or field.kind != "pattern":
        return ()
    graph = session.drawing.graph
    found: Iterable[str] = {
        "module": (name for call in graph.graph["module_calls"] for name in (call["path"], call["class"])),
        "parameter": (*(name for _, name in graph.nodes(data="parameter") if name), *graph.graph["unreached"]),
        "op": (op_title(op) for _, op in graph.nodes(data="op") if op),
    }.get(field.name, ())
    return tuple(sorted({name for name in found if name}))


def field_help(session: Session, field: Field) -> str:
    """What is to be typed, and for an expression, what about."""
    if field.kind != "expression":
        return field.tip
    names = ", ".join(sorted(session.series)[:8])
    return f"{field.tip}." + (f" Scalars here: {names}, step" if names else "")


def unknown_scalars(session: Session, breakpoint: Breakpoint) -> str:
    """A word of warning where a breakpoint names a scalar that the tape has none of; "" where all is well. It may be
    logged later, so this is no reason to refuse it."""
    names = sorted(scalars_of(breakpoint) - set(session.series))
    if not names or not session.series:
        return ""
    return f"Nothing called {' or '.join(names)} was logged so far; there is {', '.join(sorted(session.series)[:8])}"


def module_of(drawing: Drawing | None, key: str) -> str:
    """A pattern for the module that a key stands for: a call's own, a node's innermost; "" for none. The model itself
    has no path, and goes by its class."""
    if drawing is None or not key:
        return ""
    graph = drawing.graph
    call_key = graph.nodes[key].get("call_key") if key in graph else key
    keys = call_keys(graph)
    if not call_key or call_key not in keys:
        return ""
    call = graph.graph["module_calls"][keys.index(call_key)]
    return glob.escape(str(call["path"] or call["class"]))


def op_of(drawing: Drawing | None, key: str) -> str:
    """A pattern for the op that a key stands for, "" for none."""
    if drawing is None or key not in drawing.graph or drawing.graph.nodes[key]["kind"] != "op":
        return ""
    return glob.escape(str(drawing.graph.nodes[key]["op"] or ""))


def trainable_of(drawing: Drawing | None, key: str) -> str:
    """The parameter, or else the module, that can be frozen where a key is selected, by its name; "" for none."""
    if drawing is None or not key:
        return ""
    graph = drawing.graph
    if key in graph:
        parameter = graph.nodes[key].get("parameter")
        return str(parameter or graph.nodes[key].get("module") or "")
    keys = call_keys(graph)
    return str(graph.graph["module_calls"][keys.index(key)]["path"]) if key in keys else ""
