"""Puts down each node that came or went between two steps to one cause: a pass, module calls, a line, a mode."""

from collections.abc import Iterable, Iterator
from functools import cached_property

from tracer.model import call_changes as reasons
from tracer.model import cause_part as kinds
from tracer.model.broken_off import BrokenOff
from tracer.model.call_changes import CallChange, call_changes
from tracer.model.cause_part import Part, is_inside
from tracer.model.diff import GraphDiff
from tracer.model.line_changes import LineChange, line_changes
from tracer.model.mode_changes import ModeChanges
from tracer.model.node_lines import NodeLines
from tracer.model.step_side import StepSide

_CAST = "ToCopyBackward0"
_KINDS = {reasons.HIDDEN: kinds.HIDDEN, reasons.FROZEN: kinds.FROZEN, reasons.UNREACHED: kinds.UNREACHED}

Ends = tuple[BrokenOff | None, BrokenOff | None]
"""Of each step, if an exception broke it off."""


class Explanation:
    """`parts` are the causes, `of` leads from a node's key to its cause; `model` is the class of the model,
    whose path is empty; "" where none was called."""

    def __init__(self, before: StepSide, after: StepSide, found: GraphDiff, ends: Ends = (None, None)) -> None:
        self.before, self.after, self.found = before, after, found
        self.modes = ModeChanges(before, after)
        every = (*after.calls.values(), *before.calls.values())
        self.model = next((call.class_name for call in every if not call.path), "")
        self.parts: list[Part] = []
        self._ends = ends
        self.broken_off: Part | None = None
        self.of: dict[str, Part] = {}
        self._mode_parts: dict[str, Part] = {}

    @cached_property
    def lines(self) -> NodeLines:
        return NodeLines((self.after, self.before))

    def explain(self) -> None:
        """Everything that came or went; the parameters last, as they follow those that take them."""
        self._explain_end()
        self._explain_passes()
        self._explain_calls()
        self._explain_ops()
        self._explain_outputs()
        self._explain_parameters()

    def new(self, part: Part) -> Part:
        self.parts.append(part)
        return part

    def put(self, key: str, part: Part) -> None:
        self.of[key] = part
        found = self.found
        (part.added if key in found.added else part.removed if key in found.removed else part.changed).append(key)

    def beside(self, part: Part) -> list[str | None]:
        """The modules that made ops of a part, but are none of those whose calls it is about, nor inside of these."""
        found: dict[str | None, None] = {}
        for side, keys in ((self.before, part.removed), (self.after, part.added)):
            found.update(dict.fromkeys(side.module_of(key) for key in keys if side.nodes[key]["kind"] == "op"))
        return [path for path in found if not any(is_inside(path, of) for of in part.paths)]

    def mode_part(self, path: str) -> Part:
        """That of the outermost module around it that changed its mode with it."""
        top = self.modes.tops[path]
        if top not in self._mode_parts:
            direction = 1 if self.modes.trains(path) else -1
            self._mode_parts[top] = self.new(Part(kinds.MODE, top, direction=direction))
        return self._mode_parts[top]

    def explain_modes(self) -> None:
        """Also those that nothing follows from."""
        for top in dict.fromkeys(self.modes.tops.values()):
            self.mode_part(top)

    def _sides(self) -> Iterator[tuple[StepSide, list[str], int]]:
        """Each step, what only it has and nothing explains yet, in order, and the direction."""
        for side, keys, direction in ((self.before, self.found.removed, -1), (self.after, self.found.added, 1)):
            yield side, [key for key in side.nodes if key in keys and key not in self.of] if keys else [], direction

    def _explain_end(self) -> None:
        """What the step that an exception broke off lacks because of it. Where it broke off in its forward that is all
        that it lacks, and where its graph ends instead."""
        first, second = self._ends
        if (first is None) == (second is None):
            return
        end, side, keys = (second, self.before, self.found.removed) if second else (first, self.after, self.found.added)
        assert end is not None
        part = self.broken_off = self.new(Part(kinds.BROKEN_OFF, direction=-1 if second else 1, broken_off=end))
        least = self.after.pass_count if second else self.before.pass_count
        for key in side.nodes:
            is_later = end.is_complete and side.nodes[key].get("pass_index", 0) < least
            if key in keys and not is_later:
                self.put(key, part)
        ended, others = (self.after, self.found.added) if second else (self.before, self.found.removed)
        for key, node in ended.nodes.items():
            if key in others and node["kind"] == "output" and not end.is_complete:
                self.put(key, part)

    def _explain_passes(self) -> None:
        first, second = self.before.pass_count, self.after.pass_count
        if first == second or not (first and second):
            return
        side, keys = (self.before, self.found.removed) if first > second else (self.after, self.found.added)
        beyond = [
            key
            for key, node in side.nodes.items()
            if key in keys and node.get("pass_index", 0) >= min(first, second) and node["kind"] != "parameter"
        ]
        if beyond:
            part = self.new(Part(kinds.PASSES, before=first, after=second))
            for key in beyond:
                self.put(key, part)

    def _explain_calls(self) -> None:
        changes = call_changes(self.before, self.after, self.found.removed, self.found.added)
        nodes: dict[int, list[str]] = {}
        for side, keys, _ in self._sides():
            by_call = changes.went if side is self.before else changes.came
            for key in keys:
                change = by_call.get(side.nodes[key].get("call_key") or "")
                if change is not None:
                    nodes.setdefault(id(change), []).append(key)
        merged: dict[tuple[object, ...], Part] = {}
        for change in changes.all:
            if id(change) in nodes:
                part = self._part_of(change, merged)
                for key in nodes[id(change)]:
                    self.put(key, part)

    def _part_of(self, change: CallChange, merged: dict[tuple[object, ...], Part]) -> Part:
        """One part for all calls that came or went in the same way, as all those do that one loop makes."""
        went = dict.fromkeys(self.before.calls[key].path for key in change.went)
        came = dict.fromkeys(self.after.calls[key].path for key in change.came)
        if change.reason == reasons.MODE:
            part = self._part_of_mode(change)
        else:
            kind = _KINDS.get(change.reason) or self._kind_of_run(change, went, came)
            direction = 0 if went and came else 1 if came else -1
            way: tuple[object, ...] = (kind, change.owner, direction)
            if change.reason == reasons.RAN:
                way = (*way, change.before, change.after, *((change.container,) if kind == kinds.ROUTING else ()))
            if way not in merged:
                merged[way] = self.new(Part(kind, change.owner, change.before, change.after, direction))
            part = merged[way]
        part.went.update(went)
        part.came.update(came)
        return part

    def _part_of_mode(self, change: CallChange) -> Part:
        side, key = (self.before, change.went[0]) if change.went else (self.after, change.came[0])
        part = self.mode_part(side.calls[key].path)
        for side, calls in ((self.before, change.went), (self.after, change.came)):
            part.ops.update(side.calls[key].class_name for key in calls)
        part.owners[change.owner] = None
        return part

    def _kind_of_run(self, change: CallChange, went: Iterable[str], came: Iterable[str]) -> str:
        lost = [path for path in went if not self.after.runs[path]]
        new = [path for path in came if not self.before.runs[path]]
        if lost and new:
            return kinds.ROUTING
        if new and (not change.before or change.container.endswith("*")):
            return kinds.APPEARED
        if lost and (not change.after or change.container.endswith("*")):
            return kinds.DISAPPEARED
        return kinds.REPEATED

    def _explain_ops(self) -> None:
        ops = [[key for key in keys if side.nodes[key]["kind"] == "op"] for side, keys, _ in self._sides()]
        if not any(ops):
            return
        changes = line_changes(self.before, self.after, self.lines, ops[0], ops[1], set(self.of))
        by_count = {(part.owner, part.before, part.after): part for part in reversed(self.parts) if part.paths}
        hidden = {part.owner: part for part in self.parts if part.kind == kinds.HIDDEN}
        alike: dict[object, Part] = {}
        for change in changes:
            part = self._part_around(change, by_count, hidden) or self._part_of_line(change, alike)
            part.owners[change.owner] = None
            if change.line is not None and part.kind != kinds.MODE:
                part.lines.append(change.line)
                part.is_of_lines = True
            for key in (*change.removed, *change.added):
                self.put(key, part)

    def _part_around(
        self, change: LineChange, by_count: dict[tuple[str | None, int, int], Part], hidden: dict[str | None, Part]
    ) -> Part | None:
        """The cause of another kind that the line belongs to: calls that came or went as often, in the same module."""
        side, keys = (self.after, change.added) if change.added else (self.before, change.removed)
        if change.owner in hidden and all(side.nodes[key]["opaque"] for key in keys):
            hidden[change.owner].name = side.nodes[keys[0]]["op"]
            return hidden[change.owner]
        if change.before != change.after and (change.owner, change.before, change.after) in by_count:
            return by_count[change.owner, change.before, change.after]
        if change.owner in self.modes.tops and not change.is_loop:
            return self.mode_part(change.owner)
        return None

    def _part_of_line(self, change: LineChange, alike: dict[object, Part]) -> Part:
        """One part for lines of a function that ran as often, and for modules that make the same ops of the same
        name, like the casts of autocast."""
        line = change.line
        counts = change.before, change.after
        keys: list[object] = [("ops", frozenset(change.ops), bool(change.added), bool(change.removed), line)]
        if set(change.ops) == {_CAST}:
            keys = [(_CAST, bool(change.added))]
        elif line is not None:
            keys.append((change.owner, line.file, line.function, counts))
        part = next((alike[key] for key in keys if key in alike), None)
        if part is None:
            kind = kinds.REPEATED if all(counts) else kinds.APPEARED if change.after else kinds.DISAPPEARED
            direction = 1 if change.after > change.before else -1
            part = self.new(Part(kind, change.owner, *counts, direction, is_exact=change.is_exact))
        elif change.owner not in part.owners:
            part.before, part.after = part.before + change.before, part.after + change.after
            part.is_exact = False
        else:
            part.is_exact |= change.is_exact
        for key in keys:
            alike.setdefault(key, part)
        part.ops.update(change.ops)
        return part

    def _explain_outputs(self) -> None:
        """With what they come from."""
        for side, keys, direction in self._sides():
            for key in keys:
                if side.nodes[key]["kind"] not in ("op", "parameter"):
                    sources = (self.of.get(source) for source in side.graph.predecessors(key))
                    part = next((part for part in sources if part is not None), None)
                    self.put(key, part or self._other(side, key, direction))

    def _explain_parameters(self) -> None:
        """With what takes them, unless something takes them that is still there."""
        groups: dict[object, Part] = {}
        for side, keys, direction in self._sides():
            other = self.after if side is self.before else self.before
            unreached = set(other.graph.graph.get("unreached", ()))
            for key in keys:
                targets = side.graph.successors(key)
                takers = [None if target in other.nodes else self.of.get(target) for target in targets]
                part = takers[0] if takers and None not in takers else None
                parameter = side.nodes[key].get("parameter")
                if part is None and parameter is None:
                    part = self._other(side, key, direction)
                elif part is None:
                    kind = kinds.UNREACHED if parameter in unreached else kinds.FROZEN
                    group = kind, direction
                    if group not in groups:
                        groups[group] = self.new(Part(kind, direction=direction))
                    part = groups[group]
                    part.owners[side.module_of(key)] = None
                self.put(key, part)

    def _other(self, side: StepSide, key: str, direction: int) -> Part:
        """An output, or a leaf that is no parameter, that nothing else accounts for."""
        what = "output" if side.nodes[key]["kind"] == "output" else "input"
        kind = kinds.APPEARED if direction > 0 else kinds.DISAPPEARED
        for part in self.parts:
            if (part.kind, part.name) == (kind, what):
                return part
        return self.new(Part(kind, direction=direction, name=what))
