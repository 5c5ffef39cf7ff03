"""Why the graphs of two steps differ: what happened in the training that explains every node that does."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import networkx as nx

from tracer.model import cause_part as kinds
from tracer.model.call_keys import unmarked
from tracer.model.call_tree import NO_GRAD, Call, call_tree
from tracer.model.cause_part import Part, common_path
from tracer.model.cause_text import CauseWriter
from tracer.model.changed_nodes import ChangedNodes
from tracer.model.diff import GraphDiff
from tracer.model.explanation import Ends, Explanation
from tracer.model.node_lines import same_function
from tracer.model.step_side import StepSide
from tracer.model.structure import SourceLine

_ORDER = {
    kinds.BROKEN_OFF: -1,
    kinds.PASSES: 0,
    kinds.DTYPE: 2,
    kinds.DEVICE: 2,
    kinds.REPLACED: 2,
    kinds.BATCH: 3,
    kinds.SHAPES: 3,
    kinds.EVALUATION: 4,
    kinds.REWIRED: 5,
}
_USUAL = 1
_WITHOUT_NODES = 6
"""What tells most comes first; among equals what explains most."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that happened differently in the second step, and the nodes that differ for it.

    `kind` is one of broken off, mode, passes, repeated, appeared, disappeared, routing, hidden, frozen, unreached,
    dtype, device, replaced, batch, shapes, rewired, evaluation. `text` is one sentence. `module` is the path of the
    innermost module around all of it, None where there is none; `source` is the first of the lines that made it.
    `before` and `after` count, in each step, what the sentence is about (runs, passes), 0 where it counts nothing.
    `added` and `removed` are nodes that only the second or the first step has, `changed` those of both that differ;
    `calls` are keys of module calls that only one step has.
    """

    kind: str
    text: str
    module: str | None
    source: SourceLine | None
    before: int
    after: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    calls: tuple[str, ...] = ()

    @property
    def nodes(self) -> tuple[str, ...]:
        """All the nodes it explains, those first that tell most."""
        return (*self.added, *self.removed, *self.changed)


def causes(
    before: nx.MultiDiGraph, after: nx.MultiDiGraph, found: GraphDiff, folder: str = "", ends: Ends = (None, None)
) -> tuple[Cause, ...]:
    """What explains `found`, the difference of the two graphs; the most telling first.

    Each node of it belongs to exactly one cause, and so does each call that only one step has. Paths of source files
    are written below `folder`.
    """
    explanation = Explanation(StepSide(before), StepSide(after), found, ends)
    explanation.explain()
    ChangedNodes(explanation).explain()
    _explain_calls(explanation)
    explanation.explain_modes()
    _note_lines(explanation)
    writer = CauseWriter(explanation, folder)
    return tuple(_cause(part, explanation, writer) for part in sorted(explanation.parts, key=_rank))


def _rank(part: Part) -> tuple[int, int]:
    place = _ORDER.get(part.kind, _USUAL)
    return (place if part.size or part.kind in (kinds.EVALUATION, kinds.BROKEN_OFF) else _WITHOUT_NODES, -part.size)


def _explain_calls(explanation: Explanation) -> None:
    """Calls that only one step has: with their nodes, or with those of a call in them; what made none are forward-only
    passes and the like."""
    found = explanation.found
    for side, keys, direction in (
        (explanation.before, found.calls_removed, -1),
        (explanation.after, found.calls_added, 1),
    ):
        if not keys:
            continue
        owners = _owners(explanation, side, found.removed if direction < 0 else found.added)
        calls = call_tree(side.graph)
        passes: dict[tuple[str, int], Part] = {}
        for key in sorted(keys):
            if key in owners:
                owners[key].calls.append(key)
                continue
            top = _outermost(calls, key, keys)
            part = owners.get(calls[top].parent or "") or owners.get(unmarked(top)[0])
            if part is None or not unmarked(top)[1].startswith("~~"):
                if explanation.broken_off is not None and calls[top].state != NO_GRAD:
                    explanation.broken_off.calls.append(key)
                    continue
                way = calls[top].state, calls[top].count
                if way not in passes:
                    counts = (calls[top].count, 0) if direction < 0 else (0, calls[top].count)
                    passes[way] = explanation.new(Part(kinds.EVALUATION, None, *counts, direction, name=way[0]))
                part = passes[way]
                (part.came if direction > 0 else part.went)[calls[top].path] = None
            part.calls.append(key)


def _owners(explanation: Explanation, side: StepSide, nodes: Iterable[str]) -> dict[str, Part]:
    """The cause of each call's first node that only this step has; of the calls around it too."""
    owners: dict[str, Part] = {}
    for key in sorted(nodes):
        at: str | None = side.nodes[key].get("call_key")
        while at in side.calls and at not in owners:
            owners[at] = explanation.of[key]
            at = side.calls[at].parent
    return owners


def _outermost(calls: dict[str, Call], key: str, among: frozenset[str]) -> str:
    above = calls[key].parent
    while above is not None and above in among:
        key, above = above, calls[above].parent
    return key


def _note_lines(explanation: Explanation) -> None:
    """For causes that are not of lines themselves: the line of the first op of each innermost call, in order."""
    found = explanation.found
    known: dict[str | None, tuple[Part, set[SourceLine | None]]] = {}
    for side, keys in ((explanation.before, found.removed), (explanation.after, found.added)):
        for key, line in _first_ops(explanation, side) if keys else ():
            part = explanation.of.get(key)
            if key in keys and part is not None and not part.is_of_lines:
                part.lines += [line] if line is not None else []
                if part.kind == kinds.REPEATED:
                    known.setdefault(side.module_of(key), (part, set()))[1].add(line)
    for side in (explanation.before, explanation.after) if known else ():
        for key, line in _first_ops(explanation, side):
            part, lines = known.get(side.module_of(key), (None, set()))
            if part is not None and line not in lines:
                part.has_other_lines = True


def _first_ops(explanation: Explanation, side: StepSide) -> Iterator[tuple[str, SourceLine | None]]:
    """The first op of each call, and its line; of those in no call, each."""
    seen: set[str] = set()
    for key, node in side.nodes.items():
        call = node.get("call_key") or key
        if node["kind"] == "op" and call not in seen:
            seen.add(call)
            yield key, explanation.lines.of(side, key)


def _cause(part: Part, explanation: Explanation, writer: CauseWriter) -> Cause:
    return Cause(
        part.kind,
        writer.text(part),
        _module(part, explanation),
        _first_line(part, explanation),
        part.before,
        part.after,
        tuple(part.added),
        tuple(part.removed),
        tuple(part.changed),
        tuple(part.calls),
    )


def _first_line(part: Part, explanation: Explanation) -> SourceLine | None:
    """Of those that the sentence names."""
    if part.broken_off is not None:
        return part.broken_off.source
    if part.kind == kinds.REWIRED and len(part.changed) == 1:
        return explanation.lines.of(explanation.after, part.changed[0])
    lines = same_function(part.lines)
    return min(lines, key=lambda line: line.line) if lines else None


def _module(part: Part, explanation: Explanation) -> str | None:
    """The innermost module around what it is about; several models have none around them."""
    path = _common_module(part, explanation)
    return path if path or explanation.model else None


def _common_module(part: Part, explanation: Explanation) -> str | None:
    if part.kind in (kinds.BROKEN_OFF, kinds.PASSES, kinds.EVALUATION):
        return None
    if part.kind != kinds.MODE and part.paths:
        return common_path((*part.paths, *explanation.beside(part)))
    if part.owners:
        return common_path(part.owners)
    if part.kind == kinds.MODE:
        return part.owner
    modules = (
        side.module_of(key)
        for side, keys in ((explanation.before, part.removed), (explanation.after, (*part.added, *part.changed)))
        for key in keys
        if side.nodes[key]["kind"] != "output"
    )
    return common_path(modules)
