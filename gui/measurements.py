"""What was measured of a node, a module call or a parameter in one step, as rows of text with their units."""

from collections.abc import Iterable
from math import isnan

from gui import format as fmt
from gui.colorings import colorings
from gui.drawing import Drawing
from gui.facts import Fact, Section
from gui.timeline import Timeline
from tracer.model.statistics import Table

UNMEASURED = "Not measured in this step; set the recording level to {0}"
UNMEASURED_IN_ENDED = "Not measured in this step; record with --level {0}"
MEASURED_ELSEWHERE = "Not measured in this step; step {0} was"


def measured_node(drawing: Drawing, key: str, timeline: Timeline, has_ended: bool = False) -> tuple[Section, str]:
    """The rows of an op, a parameter or an output, and, where there are none, why not in one sentence."""
    node = drawing.graph.nodes[key]
    if node["kind"] == "parameter":
        return _measured(
            drawing, "parameters", node["parameter"] or key, why_unmeasured(drawing, "statistics", timeline, has_ended)
        )
    if node["kind"] == "op":
        return _measured(drawing, "nodes", key, why_unmeasured(drawing, "full", timeline, has_ended))
    return _NOTHING, ""


def measured_call(drawing: Drawing, key: str, timeline: Timeline, has_ended: bool = False) -> tuple[Section, str]:
    return _measured(drawing, "calls", key, why_unmeasured(drawing, "statistics", timeline, has_ended))


def why_unmeasured(drawing: Drawing, level: str, timeline: Timeline, has_ended: bool = False) -> str:
    """Why the step has nothing of this level, in one sentence; "" where it has. No level can be set in an ended run."""
    if drawing.statistics is None and drawing.missing:
        return drawing.missing
    if drawing.statistics is None or (level == "full" and drawing.step.level != "full"):
        elsewhere = timeline.nearest_measured(drawing.step.index, level)
        if elsewhere is not None:
            return MEASURED_ELSEWHERE.format(fmt.count(elsewhere))
        if has_ended:
            return UNMEASURED_IN_ENDED.format(level)
        return UNMEASURED.format(_LEVEL_WORDS[level])
    return ""


def _measured(drawing: Drawing, name: str, key: str, why: str) -> tuple[Section, str]:
    if why or drawing.statistics is None:
        return _NOTHING, why
    table: Table = getattr(drawing.statistics, name)
    if key not in table.keys:
        return _NOTHING, _NOTHING_OF[name]
    row = table.row(key)
    facts = _parameter_rows(row) if name == "parameters" else _rows(row)
    return Section(f"Measured{earlier_text(drawing)}", tuple(facts)), ""


def note_on_colors(drawing: Drawing | None, timeline: Timeline, has_ended: bool = False) -> str:
    """What the legend says of the step: why it has nothing to colour by, or of which step before it the numbers are."""
    level = "structure" if drawing is None else colorings()[drawing.question.options.coloring].LEVEL
    if drawing is None or level == "structure":
        return ""
    earlier = earlier_text(drawing)
    return why_unmeasured(drawing, level, timeline, has_ended) or (f"Measured{earlier}" if earlier else "")


def earlier_text(drawing: Drawing) -> str:
    """ " in step 41" where the shown step's own numbers are still on their way."""
    is_earlier = drawing.measured_step not in (-1, drawing.step.index)
    return f" in step {fmt.count(drawing.measured_step)}" if is_earlier else ""


def _rows(row: dict[str, float]) -> Iterable[Fact]:
    for column, (title, text) in _COLUMNS.items():
        value = row.get(column)
        if value is not None and not isnan(value):
            yield Fact(title, text(value))


def _parameter_rows(row: dict[str, float]) -> Iterable[Fact]:
    for column, title in _NORMS.items():
        value = row.get(column)
        if value is None:
            continue
        if column == "grad_norm" and row.get("has_grad", 1) == 0:
            yield Fact(title, "no gradient")
        else:
            # A norm of NaN is what the user looks for; only of a gradient can there be none.
            yield Fact(title, fmt.number(value))


_NOTHING = Section("Measured", ())
_LEVEL_WORDS = {"statistics": "Statistics", "full": "Everything (full)"}
_NOTHING_OF = {
    "calls": "Of this call nothing was measured in this step",
    "parameters": "Of this parameter nothing was measured in this step",
    "nodes": "Of this node nothing was measured in this step",
}
_COLUMNS = {
    "mean": ("output mean", fmt.number),
    "std": ("output std", fmt.number),
    "min": ("output min", fmt.number),
    "max": ("output max", fmt.number),
    "zeros": ("zeros", fmt.share),
    "dead_units": ("dead units", lambda value: fmt.count(int(value))),
    "units": ("of units", lambda value: fmt.count(int(value))),
    "nans": ("NaN values", lambda value: fmt.count(int(value))),
    "infs": ("Inf values", lambda value: fmt.count(int(value))),
    "forward_secs": ("forward time", fmt.duration),
    "backward_secs": ("backward time", fmt.duration),
    "saved_bytes": ("saved memory", fmt.size),
}
_NORMS = {
    "value_norm": "value norm",
    "grad_norm": "gradient norm",
    "update_norm": "update norm",
    "update_ratio": "update / weight",
}
