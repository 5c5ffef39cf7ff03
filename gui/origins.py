"""Where a NaN or an Inf began, as rows of text: what the op took and gave, and the last step in which it was well."""

from collections.abc import Iterable, Mapping
from typing import Any

import networkx as nx

from gui import format as fmt
from gui.facts import Fact, Section
from gui.names import Names
from gui.session import Session
from tracer import Event
from tracer.model.last_finite import LastFinite
from tracer.model.not_finite import Operand, Values, inputs_of, output_of, place_of

_MEASURED = {
    "min": "output min",
    "max": "output max",
    "mean": "output mean",
    "value_norm": "value norm",
    "grad_norm": "gradient norm",
}


def not_finite_event(session: Session) -> Event | None:
    """The first of the shown step, else of the run."""
    events = [event for event in session.incidents if event.kind == "not_finite"]
    here = (event for event in events if event.step == session.step)
    return next(here, events[0] if events else None)


def origin_sections(event: Event, last: LastFinite | None, graph: nx.MultiDiGraph) -> tuple[Section, ...]:
    """Of an event `not_finite`; empty where it says no more than its headline."""
    names = Names(graph)
    taken = (Section(f"What it took: {one.name}", tuple(_rows(one, graph, names))) for one in inputs_of(event.data))
    given = output_of(event.data)
    put_out = (Section("What it gave", tuple(_number_rows(given))),) if given is not None else ()
    return (*taken, *put_out, *_last_section(last, names))


def _rows(taken: Operand, graph: nx.MultiDiGraph, names: Names) -> Iterable[Fact]:
    key = next((key for key in (taken.node, taken.parameter) if key in graph), "")
    yield Fact("from", names.of(key) if key else place_of(taken), key)
    if taken.parameter and taken.parameter != key:
        is_here = taken.parameter in graph
        yield Fact("parameter", taken.parameter, taken.parameter if is_here else "")
    yield from _number_rows(taken)


def _number_rows(operand: Operand) -> Iterable[Fact]:
    if operand.values is None:
        yield Fact("values", "not kept")
    else:
        yield from _value_rows(operand.values)
    if operand.shape is not None:
        yield Fact("shape", fmt.shape(operand.shape))


def _value_rows(values: Values) -> Iterable[Fact]:
    for title, count in (("NaN values", values.nans), ("Inf values", values.infs), ("zeros", values.zeros)):
        if count:
            yield Fact(title, "all" if count == values.count else f"{fmt.count(count)} of {fmt.count(values.count)}")
    if values.lowest is None or values.highest is None or values.zeros == values.count:
        return
    if values.lowest == values.highest:
        yield Fact("value", fmt.number(values.lowest))
        return
    yield Fact("values", f"{fmt.number(values.lowest)} to {fmt.number(values.highest)}")
    if values.mean is not None:
        yield Fact("mean", fmt.number(values.mean))


def _last_section(last: LastFinite | None, names: Names) -> tuple[Section, ...]:
    if last is None:
        return ()
    row: Mapping[str, Any] = last.measured
    measured = (Fact(title, fmt.number(row[name])) for name, title in _MEASURED.items() if name in row)
    whose = (Fact("measured of", names.of(last.measured_key), last.measured_key),) if row else ()
    return (Section("Last finite step", (Fact("step", fmt.count(last.step)), *whose, *measured)),)
