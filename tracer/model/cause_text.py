"""Causes in words: one sentence each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, permutations

from tracer.model import cause_part as kinds
from tracer.model.cause_part import Part, common_path, foremost_modules, is_inside
from tracer.model.explanation import Explanation
from tracer.model.labels import op_title
from tracer.model.node_lines import place_of
from tracer.model.size_changes import SizeChange
from tracer.model.step_side import StepSide

_FEW = 3
_LONG_RUN = 3


class CauseWriter:
    """For one pair of steps; `folder` is that of the run."""

    def __init__(self, explanation: Explanation, folder: str) -> None:
        self._explanation = explanation
        self._folder = folder

    def text(self, part: Part) -> str:
        writers = {
            kinds.BROKEN_OFF: _broken_off,
            kinds.MODE: self._mode,
            kinds.PASSES: _passes,
            kinds.REPEATED: self._run,
            kinds.APPEARED: self._run,
            kinds.DISAPPEARED: self._run,
            kinds.ROUTING: self._routing,
            kinds.HIDDEN: self._hidden,
            kinds.FROZEN: self._frozen,
            kinds.UNREACHED: self._unreached,
            kinds.DTYPE: _attribute,
            kinds.DEVICE: _attribute,
            kinds.REPLACED: _attribute,
            kinds.BATCH: self._sizes,
            kinds.SHAPES: self._sizes,
            kinds.REWIRED: self._rewired,
            kinds.EVALUATION: self._evaluation,
        }
        return writers[part.kind](part)

    def title(self, path: str) -> str:
        return path or self._explanation.model

    def names(self, paths: Iterable[str]) -> str:
        """ "layers.3–5, norm": ranges for numbers in a row, a few names, and how many more."""
        shown = [title for name in _ranges(list(dict.fromkeys(paths))) if (title := self.title(name))]
        if len(shown) <= _FEW:
            return ", ".join(shown)
        return f"{', '.join(shown[:_FEW])} and {len(shown) - _FEW} more"

    def _mode(self, part: Part) -> str:
        assert part.owner is not None
        state = f"self.training is {part.direction > 0}"
        inside = common_path(part.owners) if part.owners else part.owner
        where = self.title(part.owner if inside is None else inside)
        if not part.size:
            return f"{state} in {where}: no node differs"
        if part.ops and not (part.went and part.came):
            what = f"{_counted(part.ops)} {'added' if part.came else 'missing'} in {where}"
            return f"{what}, {_delta(part)}: {state}" if part.added and part.removed else f"{what}: {state}"
        return f"{_delta(part) or 'other nodes'} in {where}: {state}"

    def _run(self, part: Part) -> str:
        if part.paths:
            return self._run_of_calls(part)
        if part.name:
            return f"{_delta(part)}: an {part.name} that the {'first' if part.direction > 0 else 'second'} step lacks"
        place = place_of(part.lines, self._folder) if part.lines else ""
        where = self.names(path for path in part.owners if path is not None)
        ops = _counted(Counter(op_title(op) for op in part.ops.elements()))
        inside = f"{_delta(part)} in {where}" if where else _delta(part)
        if part.kind != kinds.REPEATED or part.before == part.after or (part.added and part.removed):
            return f"{place} {_verb(part, place)} {ops}: {inside}" if place else f"{inside}: {ops}"
        if part.is_exact and place:
            return f"{place} ran {_instead(part)}: {inside}"
        made = (
            f"{part.after} {op_title(next(iter(part.ops))) if len(part.ops) == 1 else 'ops'} instead of {part.before}"
        )
        return f"{place} made {made}: {inside}" if place else f"{inside}: {made}"

    def _run_of_calls(self, part: Part) -> str:
        names = self.names(part.paths)
        if part.kind == kinds.REPEATED:
            has_place = bool(part.lines) and not part.has_other_lines
            subject = place_of(part.lines, self._folder) if has_place else names
            beside = self.names(path for path in self._explanation.beside(part) if path is not None)
            inside = f" in {names}{f' and {beside}' if beside else ''}" if has_place else ""
            if part.before == part.after:
                return f"other calls of {names} than before: {_delta(part)}"
            return f"{subject} ran {_instead(part)}: {_delta(part)}{inside}"
        run = "run" if _is_plural(names) else "runs"
        now = f"now {run}" if part.kind == kinds.APPEARED else f"no longer {run}"
        if part.before and part.after and part.is_of_lines:
            subject = place_of(part.lines, self._folder)
            return f"{subject} ran {_instead(part)}: {names} {now}, {_delta(part)}"
        return f"{names} {now}: {_delta(part)}"

    def _routing(self, part: Part) -> str:
        ways = (part.went, part.came), (part.came, part.went)
        lost, new = (self.names(path for path in paths if path not in others) for paths, others in ways)
        return f"{new} ran instead of {lost}: {_delta(part)}"

    def _hidden(self, part: Part) -> str:
        names = self.names(part.paths)
        inside = f" inside {op_title(part.name)}" if part.name else ""
        if part.went and not part.came:
            return f"{names} ran without grad{inside}: {_delta(part)}"
        was = "no longer ran without grad" if not inside else f"no longer ran{inside}"
        return f"{names} {was}: {_delta(part)}"

    def _frozen(self, part: Part) -> str:
        """Parameters may be gone as well as frozen."""
        names = self.names(part.paths or self._parameters(part))
        be = "are" if _is_plural(names) else "is"
        if part.paths:
            return f"{names} {be} {'no longer frozen' if part.direction > 0 else 'frozen'}: {_delta(part)}"
        return f"{names} {be} {'trained now' if part.direction > 0 else 'no longer trained'}: {_delta(part)}"

    def _unreached(self, part: Part) -> str:
        names = self.names(part.paths or self._parameters(part))
        be, them = ("are", "them") if _is_plural(names) else ("is", "it")
        if part.direction > 0:
            return f"{names} {be} reached by a backward now: {_delta(part)}"
        what = f"{names} ran, but no backward reached {them}" if part.paths else f"{names} {be} reached by no backward"
        return f"{what}: {_delta(part)}"

    def _parameters(self, part: Part) -> Iterator[str]:
        return iter(sorted((*part.added, *part.removed)))

    def _sizes(self, part: Part) -> str:
        found = self._explanation.found
        if not part.sizes:
            return f"{_nodes(len(part.changed))} of another shape"
        if len(part.sizes) == 1:
            text = _size_text(part.sizes[0])
        else:
            text = f"other sizes in {self._sizes_by_module(part.sizes)}"
        if not (found.added or found.removed or len(part.changed) < len(found.changed)):
            return f"{text}: shapes only"
        inside = self._module(part.sizes[0]) if len(part.sizes) == 1 else ""
        return f"{text}: {_nodes(len(part.changed))}" + (f" in {inside}" if inside else "")

    def _sizes_by_module(self, changes: Sequence[SizeChange]) -> str:
        """ "experts.1 (3 → 6), experts.3 (5 → 2)"."""
        modules = [[self._explanation.after.module_of(key) for key in change.nodes] for change in changes]
        around = [common_path(paths) for paths in modules]
        is_apart = not any(is_inside(one, other) for one, other in permutations(around, 2))
        pairs: dict[str | None, list[str]] = {}
        for change, paths, module in zip(changes, modules, around, strict=True):
            for path in [module] if is_apart else foremost_modules(paths):
                pairs.setdefault(path, []).append(_pairs(change))
        named = [
            f"{'the step' if path is None else self.title(path)} ({', '.join(dict.fromkeys(sizes))})"
            for path, sizes in pairs.items()
        ]
        return ", ".join(named[:_FEW]) + (f" and {len(named) - _FEW} more" if len(named) > _FEW else "")

    def _module(self, change: SizeChange) -> str:
        path = common_path(self._explanation.after.module_of(key) for key in change.nodes)
        return "" if path is None else self.title(path)

    def _rewired(self, part: Part) -> str:
        if len(part.changed) > 1:
            return f"{_nodes(len(part.changed))} are fed by others than before"
        key = part.changed[0]
        before, after = self._explanation.found.changed[key]["inputs"]
        lost, new = {source for source, *_ in before}, {source for source, *_ in after}
        name = self._name(self._explanation.after, key)
        gone = ", ".join(sorted(self._name(self._explanation.before, source) for source in lost - new))
        come = ", ".join(sorted(self._name(self._explanation.after, source) for source in new - lost))
        if not come and not gone:
            return f"{name} is fed in another order than before"
        if come == gone:
            return f"{name} is fed by another {come} than before"
        if not come or not gone:
            return f"{name} is fed by {come} as well" if come else f"{name} is no longer fed by {gone}"
        return f"{name} is fed by {come} instead of {gone}"

    def _name(self, side: StepSide, key: str) -> str:
        """ "Addmm in head", or the parameter's name."""
        node, module = side.nodes[key], side.module_of(key)
        if node["kind"] != "op":
            return key
        return op_title(node["op"]) + ("" if module is None else f" in {self.title(module)}")

    def _evaluation(self, part: Part) -> str:
        times = f" ×{part.before or part.after:,}" if (part.before or part.after) > 1 else ""
        what = "forward-only pass" if part.name == "no grad" else "call without a backward"
        names = self.names(part.paths)
        if part.direction > 0:
            return f"{names}: {what}{times} that the first step lacks"
        return f"{names}: {what}{times} that the second step lacks"


def _verb(part: Part, place: str) -> str:
    ending = "" if _is_plural(place) else "s"
    if part.added and part.removed:
        return f"make{ending} other nodes:"
    return f"now make{ending}" if part.added else f"no longer make{ending}"


def _is_plural(names: str) -> bool:
    return any(sign in names for sign in (",", "–", " and "))


def _broken_off(part: Part) -> str:
    end = part.broken_off
    assert end is not None
    lacks = "" if end.is_complete or end.has_backward else "no backward ran"
    known = ", ".join(text for text in (lacks, _delta(part)) if text)
    return f"step {end.step} broke off: {end.text}" + (f" ({known})" if known else "")


def _passes(part: Part) -> str:
    passes = "pass" if part.after == 1 else "passes"
    return f"{part.after} backward {passes} instead of {part.before}: {_delta(part)}"


def _attribute(part: Part) -> str:
    old, new = part.values
    casts = f", {_delta(part).replace('node', 'cast')}" if part.added or part.removed else ""
    return f"{part.name} {old} → {new}: {_nodes(len(part.changed))}{casts}"


def _instead(part: Part) -> str:
    """ "3 times instead of 2", "once instead of 2 times"."""
    if part.after == 1:
        return f"once instead of {part.before} times"
    return f"{part.after} times instead of {'once' if part.before == 1 else part.before}"


def _delta(part: Part) -> str:
    """ "+12 nodes", "+3 −2 nodes"."""
    counts = [f"{sign}{len(keys):,}" for sign, keys in (("+", part.added), ("−", part.removed)) if keys]
    return f"{' '.join(counts)} {'node' if counts in (['+1'], ['−1']) else 'nodes'}" if counts else ""


def _nodes(count: int) -> str:
    return f"{count:,} {'node' if count == 1 else 'nodes'}"


def _counted(names: Counter[str]) -> str:
    shown = [name if count == 1 else f"{name} ×{count:,}" for name, count in names.most_common()]
    return ", ".join(shown[:_FEW]) + (f" and {len(shown) - _FEW} more" if len(shown) > _FEW else "")


def _size_text(change: SizeChange) -> str:
    return f"{'batch' if change.is_batch else 'size'} {_pairs(change)}"


def _pairs(change: SizeChange) -> str:
    more = ", …" if len(change.pairs) > _FEW else ""
    return ", ".join(f"{old:,} → {new:,}" for old, new in change.pairs[:_FEW]) + more


def _ranges(paths: Sequence[str]) -> list[str]:
    """Numbers in a row of one list as "layers.3–5"."""
    found: list[str] = []
    for _, run in groupby(enumerate(paths), key=lambda each: _row(*each)):
        names = [path for _, path in run]
        if len(names) < _LONG_RUN:
            found += names
        else:
            found.append(f"{names[0]}–{names[-1].rpartition('.')[2]}")
    return found


def _row(at: int, path: str) -> tuple[str, int]:
    head, _, last = path.rpartition(".")
    return (head, int(last) - at) if last.isdecimal() else (path, -1)
