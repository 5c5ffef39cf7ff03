"""What the inspector says about a selection: which facts belong to a key, and how they are headed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gui import format as fmt
from gui.drawing import Drawing, Undrawn
from gui.facts import Fact, Section, call_facts, call_number, link_facts, node_facts, opaque_text, step_facts
from gui.failures import MOST_CHARS_WITH_ROOM, failure_headline, failure_sections
from gui.incidents import LEADING, concerns, headline, origin_key, origin_text
from gui.measurements import measured_call, measured_node
from gui.names import Names
from gui.origins import origin_sections
from gui.session import Session
from tracer import Event
from tracer.model.call_keys import call_keys
from tracer.model.labels import op_title
from tracer.model.view import Link

LINK = " → "
"""Stands between the two box keys of a selected edge."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence beside the facts. `kind` is "alarm" or "remark", which stand above them, or "footnote"."""

    text: str
    kind: str = "remark"


@dataclass(frozen=True, slots=True)
class Finding:
    """`source` is where the user's code made the node: its file, line and function. `last_finite` is the last step
    before a NaN in which what it began in was finite; None for what no NaN began in."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    notices: tuple[Notice, ...] = ()
    last_finite: int | None = None
    source: Mapping[str, Any] | None = None


def link_key(link: Link) -> str:
    return f"{link.source}{LINK}{link.target}"


def find(session: Session) -> Finding:
    """What is known of the selected node, module call or edge in the drawn step; of the step where there is none."""
    drawing, selection = session.drawing, session.selection
    if session.undrawn is not None:
        return _of_undrawn(session.undrawn, session)
    if drawing is None:
        return Finding("Nothing to show yet", why_nothing(session) or "Open a tape or start a run", ())
    if not selection:
        return _of_step(drawing, session)
    if LINK in selection:
        return _of_link(drawing, selection)
    if selection in drawing.graph:
        return _of_node(drawing, selection, session)
    if selection in call_keys(drawing.graph):
        return _of_call(drawing, selection, session)
    return Finding(Names(drawing.graph).of(selection), f"Not in step {fmt.count(drawing.step.index)}", ())


def source_of(session: Session) -> Mapping[str, Any] | None:
    """Where the selected node was made: file, line, function; None where that is not known."""
    drawing = session.drawing
    if drawing is None or session.selection not in drawing.graph:
        return None
    source: Mapping[str, Any] | None = drawing.graph.nodes[session.selection].get("source")
    return source


def why_nothing(session: Session) -> str:
    """Why no step is drawn, in one sentence; "" where there is no tape."""
    if session.undrawn is not None:
        return session.undrawn.why
    if len(session.timeline):
        return "Laying out the graph…"
    if session.unreadable:
        return session.unreadable
    return {
        "starting": "Starting the training…" if session.follows_live else "Reading the tape…",
        "running": "Waiting for the first step…",
        "paused": "Waiting for the first step…",
        "ended": "The run ended without a step",
    }.get(session.run_state, "")


def _of_step(drawing: Drawing, session: Session) -> Finding:
    step, structure = drawing.step, session.timeline.structure(drawing.step.index)
    ending = " · unfinished" if step.phase == "partial" else ""
    return Finding(
        f"Step {fmt.count(step.index)}",
        f"Structure {fmt.count(structure + 1)} · {fmt.plural(drawing.graph.number_of_nodes(), 'node')}{ending}",
        (*_ending(step.index, session), *_happened(step.index, session), *step_facts(step, drawing.graph, structure)),
        _incidents(step.index, session),
    )


def _of_undrawn(undrawn: Undrawn, session: Session) -> Finding:
    index, step = undrawn.question.step, undrawn.step
    known = step_facts(step, None, session.timeline.structure(index)) if step is not None else ()
    sections = (*_ending(index, session), *_happened(index, session), *known)
    return Finding(f"Step {fmt.count(index)}", undrawn.why, sections, _incidents(index, session))


def _incidents(step: int, session: Session) -> tuple[Notice, ...]:
    last = len(session.timeline) - 1
    return tuple(Notice(_told(event), "alarm") for event in session.incidents if min(event.step, last) == step)


def _told(event: Event) -> str:
    return failure_headline(event, MOST_CHARS_WITH_ROOM) if event.kind == "exception" else headline(event)


def _ending(step: int, session: Session) -> tuple[Section, ...]:
    """What ended the run, for its last step."""
    if session.exception is None or step != len(session.timeline) - 1:
        return ()
    return failure_sections(session.exception, str(session.meta.get("folder", "")))


def _failure_at(drawing: Drawing, key: str, session: Session) -> tuple[Section, ...]:
    """The same for the node or the module call where it was raised."""
    event = session.exception
    if event is None or event.step != drawing.step.index or not concerns(event, key):
        return ()
    return failure_sections(event, str(session.meta.get("folder", "")))


def _happened(step: int, session: Session) -> tuple[Section, ...]:
    """Breakpoints that were met at a step, and what was changed of the training there."""
    lines = session.happenings.lines(step)
    facts = (Fact(what, text) for what, _, text in (line.partition(": ") for line in lines))
    return (Section("At this step", tuple(facts)),) if lines else ()


def _of_node(drawing: Drawing, key: str, session: Session) -> Finding:
    node = drawing.graph.nodes[key]
    title = node["parameter"] or op_title(node["op"] or "") or key
    where = f" in {node['module']}" if node["module"] else ""
    measured, why = measured_node(drawing, key, session.timeline, session.run_state == "ended")
    notices = (
        *_alarms(drawing, key, session, node.get("source")),
        *((Notice(opaque_text(node["op"])),) if node["opaque"] else ()),
        *((Notice(why, "footnote"),) if why else ()),
    )
    known = _with_measured(measured, node_facts(drawing.graph, key, drawing.diff))
    sections = (*_failure_at(drawing, key, session), *_origin_facts(drawing, key, session), *known)
    last = _last_finite(drawing, key, session)
    subtitle = f"{node['kind'].capitalize()}{where}"
    return Finding(title, subtitle, sections, notices, last, node.get("source"))


def _of_call(drawing: Drawing, key: str, session: Session) -> Finding:
    call = drawing.graph.graph["module_calls"][call_number(drawing.graph, key)]
    title, subtitle = call["path"] or call["class"], f"{call['class']} · call {call['call']}"
    measured, why = measured_call(drawing, key, session.timeline, session.run_state == "ended")
    notices = (*_alarms(drawing, key, session), *((Notice(why, "footnote"),) if why else ()))
    known = _with_measured(measured, call_facts(drawing.graph, key))
    sections = (*_failure_at(drawing, key, session), *known)
    return Finding(title, subtitle, sections, notices, _last_finite(drawing, key, session))


def _with_measured(measured: Section, sections: tuple[Section, ...]) -> tuple[Section, ...]:
    """Measurements come second: after what the thing is, before what it is connected to."""
    return (*sections[:1], measured, *sections[1:]) if measured.facts else sections


def _alarms(
    drawing: Drawing, key: str, session: Session, source: Mapping[str, Any] | None = None
) -> tuple[Notice, ...]:
    folder = str(session.meta.get("folder", ""))
    events = _events_at(drawing, key, session, LEADING)
    return tuple(Notice(origin_text(event, folder, source), "alarm") for event in events)


def _events_at(drawing: Drawing, key: str, session: Session, kinds: Collection[str] = ("not_finite",)) -> list[Event]:
    """What began in a node, a module call or a parameter in the drawn step."""
    events = (event for event in session.incidents if event.kind in kinds)
    return [event for event in events if event.step == drawing.step.index and concerns(event, key)]


def _origin_facts(drawing: Drawing, key: str, session: Session) -> tuple[Section, ...]:
    events = [
        event for event in _events_at(drawing, key, session) if key in (event.data.get("node"), origin_key(event))
    ]
    return origin_sections(events[0], session.last_finite.get(events[0].id), drawing.graph) if events else ()


def _last_finite(drawing: Drawing, key: str, session: Session) -> int | None:
    found = (session.last_finite.get(event.id) for event in _events_at(drawing, key, session))
    return next((last.step for last in found if last is not None), None)


def _of_link(drawing: Drawing, selection: str) -> Finding:
    source, _, target = selection.partition(LINK)
    names = Names(drawing.graph)
    members = {box.key: box.members for box in drawing.scene.layout.view.boxes}
    ends = members.get(source, (source,)), members.get(target, (target,))
    subtitle = LINK.join(map(names.of, (source, target)))
    if all(ends):
        return Finding("Edge", subtitle, link_facts(drawing.graph, *ends))
    facts = Fact("from", names.of(source), source), Fact("to", names.of(target), target)
    return Finding("Data flow", subtitle, (Section("Without a graph", facts),))
