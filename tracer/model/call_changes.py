"""Which module calls came or went between two steps with all that they made, and what became of them."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from tracer.model.step_side import StepSide, container_of

RAN, HIDDEN, FROZEN, UNREACHED, MODE = "ran", "hidden", "frozen", "unreached", "mode"
"""Why a call has nodes in one of the steps only: it ran in that one alone, without grad in the other; there its
parameters need no gradient, or no backward reached it; or it is in the other mode, training or evaluation."""


@dataclass(slots=True)
class CallChange:
    """Outermost calls of one module, or of several in one list, made by calls of `owner`, of which the first step has
    `before`, the second `after`. `went` and `came` are the keys of those that only one of them has."""

    reason: str
    owner: str | None
    container: str
    before: int
    after: int
    went: list[str] = field(default_factory=list)
    came: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CallChanges:
    """`by_call` leads from the key of any call that went or came to its change."""

    went: Mapping[str, CallChange]
    came: Mapping[str, CallChange]
    all: tuple[CallChange, ...]


def call_changes(before: StepSide, after: StepSide, removed: Iterable[str], added: Iterable[str]) -> CallChanges:
    """`removed` and `added` are the nodes that differ, parameters among them."""
    changes: dict[tuple[str, str | None, str], CallChange] = {}
    maps: list[dict[str, CallChange]] = []
    for side, other, nodes in ((before, after, removed), (after, before, added)):
        gone = side.live - other.live
        outermost = _outermost(side, gone)
        reasons = _Reasons(side, other, nodes)
        found: dict[str, CallChange] = {}
        for key in side.calls:  # in call order
            if outermost.get(key) != key:
                continue
            reason, owner, container = reasons.of(key), side.owner_of(key), container_of(side.calls[key].path)
            place = owner, container
            change = changes.setdefault(
                (reason, *place), CallChange(reason, *place, before.counts[place], after.counts[place])
            )
            (change.went if side is before else change.came).append(key)
            found[key] = change
        maps.append({key: found[top] for key, top in outermost.items()})
    return CallChanges(maps[0], maps[1], tuple(changes.values()))


def _outermost(side: StepSide, gone: Set[str]) -> dict[str, str]:
    """For each call that is gone the outermost one around it that is; calls stand after those that made them."""
    tops: dict[str, str] = {}
    for key, call in side.calls.items():
        if key in gone:
            tops[key] = tops.get(call.parent or "", key)
    return tops


class _Reasons:
    def __init__(self, side: StepSide, other: StepSide, nodes: Iterable[str]) -> None:
        self._side = side
        self._other = other
        self._unreached = _with_prefixes(other.graph.graph.get("unreached", ()))
        parameters = [name for key in nodes if (name := side.nodes[key].get("parameter")) is not None]
        self._lost = _with_prefixes(parameters)
        self._is_all_frozen = bool(parameters) and set(parameters).isdisjoint(other.graph.graph.get("unreached", ()))

    def of(self, key: str) -> str:
        """Why the other step has no nodes of this call."""
        call, other = self._side.calls[key], self._other.calls.get(key)
        if other is None:
            is_hidden = call.path in self._other.graphless and not self._other.runs[call.path]
            return HIDDEN if is_hidden else RAN
        if call.path in self._lost:
            return UNREACHED if call.path in self._unreached else FROZEN
        if call.training != other.training:
            return MODE
        return FROZEN if self._is_all_frozen else UNREACHED  # without parameters it needs no gradient if others do not


def _with_prefixes(names: Iterable[str]) -> set[str]:
    """The paths of all modules that lie around parameters of these names."""
    paths: set[str] = set()
    for name in names:
        path, dot = name, "."
        while dot:
            path, dot, _ = path.rpartition(".")
            if path in paths:
                break
            paths.add(path)
    return paths
