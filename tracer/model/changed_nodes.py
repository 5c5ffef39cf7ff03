"""Puts down each node that both steps have, but not alike, to one cause: one of its own, or that of what came or went
beside it."""

from collections import Counter
from typing import Any

from tracer.model import cause_part as kinds
from tracer.model.cause_part import Part, common_path
from tracer.model.explanation import Explanation
from tracer.model.node_lines import op_stem
from tracer.model.size_changes import SizeChange, size_changes
from tracer.model.step_side import container_of

_OWN = ("device", "dtype", "op", "kind", "opaque")
"""Attributes whose change is a cause of its own, the most telling first."""
_CAST = "ToCopyBackward0"
_MANY_MODULES = 3


class ChangedNodes:
    """To be explained when all that came or went is."""

    def __init__(self, explanation: Explanation) -> None:
        self._explanation = explanation
        self._changed = explanation.found.changed
        self._by_stem: dict[str, Part] = {}
        for key, part in explanation.of.items():
            self._by_stem.setdefault(op_stem(key), part)

    def explain(self) -> None:
        waiting = self._explain_attributes(sorted(self._changed))
        waiting = self._explain_sizes(waiting)
        self._explain_inputs(waiting)

    def _explain_attributes(self, keys: list[str]) -> list[str]:
        """Those that are explained by what they are; the others are returned."""
        groups: dict[object, Part] = {}
        waiting = []
        for key in keys:
            name = next((name for name in _OWN if name in self._changed[key]), None)
            if name is None:
                waiting.append(key)
                continue
            values = self._changed[key][name]
            kind = name if name in (kinds.DTYPE, kinds.DEVICE) else kinds.REPLACED
            if (name, values) not in groups:
                groups[name, values] = self._explanation.new(Part(kind, name=name, values=values))
            self._explanation.put(key, groups[name, values])
        self._take_casts(next((part for part in groups.values() if part.kind != kinds.REPLACED), None))
        return waiting

    def _take_casts(self, part: Part | None) -> None:
        """Copies to another dtype or device come with it."""
        explanation = self._explanation
        if part is None:
            return
        for casts in [cause for cause in explanation.parts if set(cause.ops) == {_CAST} and not cause.paths]:
            explanation.parts.remove(casts)
            self._put_all((*casts.added, *casts.removed), part)

    def _explain_sizes(self, keys: list[str]) -> list[str]:
        shapes = {key: self._changed[key]["shapes"] for key in keys if "shapes" in self._changed[key]}
        if not shapes:
            return keys
        changes, other = size_changes(shapes)
        parts: dict[str, list[SizeChange]] = {}
        left: set[str] = set()
        for change in changes:
            is_free = any(self._neighbour(key) is None for key in change.nodes)
            part = self._loop_of(change)
            if part is not None:
                self._put_all(change.nodes, part)
            elif is_free:
                modules = (self._explanation.after.module_of(key) for key in change.nodes)
                parts.setdefault(container_of(common_path(modules) or ""), []).append(change)
            else:
                left.update(change.nodes)
        for alike in parts.values():
            kind = kinds.BATCH if len(alike) == 1 and alike[0].is_batch else kinds.SHAPES
            part = self._explanation.new(Part(kind, sizes=tuple(alike)))
            for change in alike:
                self._put_all(change.nodes, part)
        self._explain_forms([key for key in other if self._neighbour(key) is None])
        return [key for key in keys if key not in self._explanation.of]

    def _put_all(self, keys: tuple[str, ...], part: Part) -> None:
        for key in keys:
            self._explanation.put(key, part)

    def _loop_of(self, change: SizeChange) -> Part | None:
        """What ran as often as this is large: each turn of a loop adds to it."""
        for part in self._explanation.parts:
            if part.kind == kinds.REPEATED and change.pairs == ((part.before, part.after),):
                return part
        return None

    def _explain_forms(self, keys: list[str]) -> None:
        if keys:
            self._put_all(tuple(keys), self._explanation.new(Part(kinds.SHAPES)))

    def _explain_inputs(self, keys: list[str]) -> None:
        """Of one module whose ops are fed by others together, as long as they are few."""
        rewired: dict[str | None, list[str]] = {}
        for key in keys:
            part = self._neighbour(key)
            if part is not None:
                self._explanation.put(key, part)
            else:
                rewired.setdefault(self._explanation.after.module_of(key), []).append(key)
        groups = list(rewired.values())
        if len(groups) > _MANY_MODULES:
            groups = [[key for group in groups for key in group]]
        for group in groups:
            self._put_all(tuple(group), self._explanation.new(Part(kinds.REWIRED)))

    def _neighbour(self, key: str) -> Part | None:
        """The cause of what feeds the node in one step only, or of its siblings, whose numbers it may have taken."""
        if "inputs" not in self._changed[key]:
            return None
        before, after = self._changed[key]["inputs"]
        gone, come = _sources(before), _sources(after)
        of = self._explanation.of
        direct = Counter(of[source] for source in sorted(gone ^ come) if source in of and source not in self._changed)
        if direct:
            return direct.most_common(1)[0][0]
        if not gone ^ come:
            return None
        stems = (op_stem(other) for other in (*sorted(gone ^ come), key))
        return next((self._by_stem[stem] for stem in stems if stem in self._by_stem), None)


def _sources(inputs: Any) -> set[str]:
    return {source for source, _, _ in inputs}
