"""The tables of the statistics dock: rows, a summary line, and what to say where there are none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isnan

import numpy as np
from numpy.typing import NDArray

from gui import format as fmt
from gui.drawing import Drawing
from gui.measurements import earlier_text, why_unmeasured
from gui.models.measured import Column, Rows
from gui.names import Names
from gui.timeline import Timeline
from tracer.model.statistics import Operator, Statistics, Table
from tracer.model.unreached import unreached_parameters

PHASES = ("forward", "backward", "optimizer")
NO_ROWS = Rows((), ())


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a tab shows: rows with a line under them, or `why` there are none."""

    rows: Rows = NO_ROWS
    summary: str = ""
    why: str = ""


def content_of(title: str, drawing: Drawing, timeline: Timeline, has_ended: bool = False) -> Content:
    """What the tab of this title shows of a step."""
    content, earlier = CONTENTS[title](drawing, timeline, has_ended), earlier_text(drawing)
    if content.why or not earlier:
        return content
    return replace(content, summary=f"Measured{earlier}   ·   {content.summary}")


def modules_content(drawing: Drawing, timeline: Timeline, has_ended: bool = False) -> Content:
    """A row for each measured module call."""
    statistics, why = drawing.statistics, why_unmeasured(drawing, "statistics", timeline, has_ended)
    if statistics is None or why:
        return Content(why=why)
    table, names = statistics.calls, Names(drawing.graph)
    classes = {call["key"]: call["class"] for call in drawing.graph.graph["module_calls"]}
    columns = (
        Column("Module call", [names.of(key) for key in table.keys]),
        Column("Class", [classes.get(key, "") for key in table.keys]),
        _numbers(table, "forward_secs", "Forward", _duration, "Time of the call, inner calls included"),
        _numbers(table, "nans", "NaN", _count, "How many of the output's values are NaN", _is_positive),
        _numbers(table, "infs", "Inf", _count, "How many of the output's values are infinite", _is_positive),
        _numbers(table, "zeros", "Zeros", _share, "Share of the output's values that are zero"),
        _numbers(
            table,
            "dead_units",
            "Dead units",
            _count,
            "Channels of images, features of all else, that are zero for every sample; empty where none can be",
        ),
        _numbers(table, "mean", "Mean", _number, "Of the output's values"),
        _numbers(table, "std", "Std", _number, "Standard deviation of the output's values"),
        _numbers(table, "min", "Min", _number, "Smallest value of the output"),
        _numbers(table, "max", "Max", _number, "Largest value of the output"),
    )
    return _content(Rows(table.keys, columns), fmt.plural(len(table.keys), "module call"), "No module was called")


def parameters_content(drawing: Drawing, timeline: Timeline, has_ended: bool = False) -> Content:
    """A row for each measured parameter, then those that the step's loss did not reach; these are always known."""
    statistics, why = drawing.statistics, why_unmeasured(drawing, "statistics", timeline, has_ended)
    table = statistics.parameters if statistics is not None else Table((), _NORMS, np.empty((0, len(_NORMS))))
    unreached = set(unreached_parameters(drawing.graph))
    more = tuple(sorted(unreached - set(table.keys)))
    keys = (*table.keys, *more)
    if not keys:
        return Content(why=why or "No parameter was trained")
    column = {name: _extended(table, name, len(more)) for name in _NORMS}
    has_grad = _extended(table, "has_grad", len(more))
    gradients = np.where(has_grad == 0, np.nan, column["grad_norm"])
    is_alarming = _is_not_finite_where(has_grad == 1, column["grad_norm"])
    notes = [UNREACHED if key in unreached else _note(bad) for key, bad in zip(keys, is_alarming, strict=True)]
    columns = (
        Column("Parameter", keys),
        Column("Value", column["value_norm"], _number, "Euclidean norm of the values the step ran with", None, _WIDEST),
        Column(
            "Gradient", gradients, _number, "Euclidean norm of the gradient as the optimizer found it", None, _WIDEST
        ),
        Column("Update", column["update_norm"], _number, "Euclidean norm of what the optimizer changed", None, _WIDEST),
        Column(
            "Update / weight",
            column["update_ratio"],
            _number,
            "Norm of the update over that of the values",
            None,
            _WIDEST,
        ),
        Column("Note", notes, is_alarming=_is_note_alarming),
    )
    return Content(Rows(keys, columns), _parameter_summary(gradients, len(keys), len(unreached), why))


def operators_content(drawing: Drawing, timeline: Timeline, has_ended: bool = False) -> Content:
    """A row for each operator in the order they ran; one may stand for a hundred thousand."""
    statistics, why = drawing.statistics, why_unmeasured(drawing, "full", timeline, has_ended)
    if statistics is None or why:
        return Content(why=why)
    operators, names = statistics.operators, Names(drawing.graph)
    called = {key: names.of(key) for key in {one.call for one in operators} if key}
    flops = np.array([np.nan if one.flops is None else one.flops for one in operators], np.float64)
    columns = (
        Column("#", np.arange(len(operators), dtype=np.float64), _count, "In the order they ran"),
        Column("Operator", [one.name for one in operators], _operator_title),
        Column("Module call", [called.get(one.call or "", "") for one in operators]),
        Column("Phase", [one.phase for one in operators]),
        Column("Output", [_shapes(one) for one in operators]),
        Column("FLOPs", flops, _flops, "By the formulas of torch.utils.flop_counter; empty where there is none"),
        Column("Time", statistics.operator_secs, _duration),
    )
    rows = Rows([one.call or "" for one in operators], columns)
    return _content(rows, operators_summary(statistics, flops), "No operator ran in this step")


def nodes_content(drawing: Drawing, timeline: Timeline, has_ended: bool = False) -> Content:
    """A row for each op node whose backward ran or that saved something for it."""
    statistics, why = drawing.statistics, why_unmeasured(drawing, "full", timeline, has_ended)
    if statistics is None or why:
        return Content(why=why)
    table, names, graph = statistics.nodes, Names(drawing.graph), drawing.graph
    secs, size = _values(table, "backward_secs"), _values(table, "saved_bytes")
    columns = (
        Column("Node", [names.of(key) for key in table.keys]),
        Column("Backward node", [graph.nodes[key]["op"] if key in graph else "" for key in table.keys]),
        Column("Backward", secs, _duration, "Time of the node's backward"),
        Column("Saved", size, _size, "Memory that the node keeps from forward to backward"),
    )
    summary = "   ·   ".join(
        (
            fmt.plural(len(table.keys), "node"),
            f"backward {fmt.duration(float(np.nansum(secs)))}",
            f"{fmt.size(float(np.nansum(size)))} saved",
        )
    )
    return _content(Rows(table.keys, columns), summary, "No backward ran in this step")


def operators_summary(statistics: Statistics, flops: NDArray[np.float64]) -> str:
    """ "353 operators · forward 1.2 MFLOP in 3.1 ms · …"."""
    phases = np.array([one.phase for one in statistics.operators])
    parts = [fmt.plural(len(phases), "operator")]
    for phase in PHASES:
        of_phase = phases == phase
        if of_phase.any():
            total = float(np.nansum(flops[of_phase]))
            secs = float(np.nansum(statistics.operator_secs[of_phase]))
            parts.append(
                f"{phase} {fmt.flops(total)} in {fmt.duration(secs)}" if total else f"{phase} {fmt.duration(secs)}"
            )
    return "   ·   ".join(parts)


UNREACHED = "not reached by this step's loss"
CONTENTS: dict[str, Callable[[Drawing, Timeline, bool], Content]] = {
    "Modules": modules_content,
    "Parameters": parameters_content,
    "Operators": operators_content,
    "Nodes": nodes_content,
}
LEVELS = {"Modules": "statistics", "Parameters": "statistics", "Operators": "full", "Nodes": "full"}
"""What a step must have been recorded at for the tab to be filled."""

_NORMS = ("value_norm", "grad_norm", "update_norm", "update_ratio")
_NOT_FINITE = "gradient is not finite"
_WIDEST = "−0.00001234"


def _content(rows: Rows, summary: str, why_empty: str) -> Content:
    return Content(rows, summary) if len(rows.keys) else Content(why=why_empty)


def _values(table: Table, name: str) -> NDArray[np.float64]:
    return table.column(name) if name in table.columns else np.full(len(table.keys), np.nan)


def _extended(table: Table, name: str, more: int) -> NDArray[np.float64]:
    return np.concatenate([_values(table, name), np.full(more, np.nan)])


def _numbers(
    table: Table,
    name: str,
    title: str,
    text: Callable[[float], str],
    tip: str,
    is_alarming: Callable[[float], bool] | None = None,
) -> Column:
    return Column(title, _values(table, name), text, tip, is_alarming, _WIDEST if text is _number else "")


def _is_not_finite_where(known: NDArray[np.bool_], values: NDArray[np.float64]) -> Sequence[bool]:
    found: list[bool] = (known & ~np.isfinite(values)).tolist()
    return found


def _note(is_alarming: bool) -> str:
    return _NOT_FINITE if is_alarming else ""


def _is_note_alarming(note: str) -> bool:
    return note == _NOT_FINITE


def _parameter_summary(gradients: NDArray[np.float64], count: int, unreached: int, why: str) -> str:
    parts = [fmt.plural(count, "parameter")]
    known = gradients[~np.isnan(gradients)]
    if len(known):
        parts.append(f"gradient norm of all {fmt.number(float(np.sqrt(np.square(known).sum())))}")
    if unreached:
        parts.append(f"{fmt.count(unreached)} {UNREACHED}")
    return "   ·   ".join([*parts, *([why] if why else [])])


def _shapes(one: Operator) -> str:
    return ", ".join(fmt.shape(shape) for shape in one.shapes)


def _operator_title(name: str) -> str:
    """aten.addmm.default is addmm, aten.add.Tensor is add.Tensor."""
    return name.removeprefix("aten.").removesuffix(".default")


def _is_positive(value: float) -> bool:
    return value > 0


def _number(value: float) -> str:
    return "" if isnan(value) else fmt.number(float(value))


def _count(value: float) -> str:
    return "" if isnan(value) else fmt.count(int(value))


def _share(value: float) -> str:
    return "" if isnan(value) else fmt.share(value)


def _duration(value: float) -> str:
    return "" if isnan(value) else fmt.duration(value)


def _size(value: float) -> str:
    return "" if isnan(value) else fmt.size(value)


def _flops(value: float) -> str:
    return "" if isnan(value) else fmt.flops(value)
