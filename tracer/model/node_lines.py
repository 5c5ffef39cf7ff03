"""The source line of each node of two steps, also of nodes whose own was not noted."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from tracer.model.source_paths import short_path
from tracer.model.step_side import StepSide
from tracer.model.structure import SourceLine

_FEW = 3


class NodeLines:
    """A node without a line gets that of the same op in the other calls of its module, or in the other step; or that of
    all ops of its name in that module: where these came from one line."""

    def __init__(self, sides: Iterable[StepSide]) -> None:
        self._lines: dict[tuple[str, int], SourceLine] = {}
        self._known: dict[str, SourceLine | None] = {}
        for side in sides:
            for key, source in side.graph.nodes(data="source"):
                if source is not None:
                    self._remember(key, self._line(source))

    def of(self, side: StepSide, key: str) -> SourceLine | None:
        source = side.nodes[key].get("source")
        if source is not None:
            return self._line(source)
        if side.nodes[key]["kind"] != "op":
            return None
        name = _without_call(key)
        return self._known.get(name) or self._known.get(_without_number(name))

    def _line(self, source: Mapping[str, Any]) -> SourceLine:
        """One object for each line, as there are many nodes to a line."""
        place = source["file"], source["line"]
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = SourceLine(source["file"], source["line"], source["function"])
        return line

    def _remember(self, key: str, line: SourceLine) -> None:
        name = _without_call(key)
        for known in (name, _without_number(name)):
            if self._known.setdefault(known, line) is not line:
                self._known[known] = None


def same_function(lines: Sequence[SourceLine]) -> list[SourceLine]:
    """Those of the first one's function."""
    return [line for line in lines if (line.file, line.function) == (lines[0].file, lines[0].function)]


def place_of(lines: Sequence[SourceLine], folder: str) -> str:
    """ "net.py:14–16, 22": the lines of the first one's function."""
    numbers = sorted({line.line for line in same_function(lines)})
    runs = [[number for _, number in run] for _, run in groupby(enumerate(numbers), key=lambda each: each[1] - each[0])]
    shown = [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    more = "" if len(shown) <= _FEW else ", …"
    return f"{short_path(lines[0].file, folder)}:{', '.join(shown[:_FEW])}{more}"


def op_stem(key: str) -> str:
    """`path/op` of a node's key: what its siblings, in whichever call, have in common with it."""
    return _without_number(_without_call(key))


def _without_call(key: str) -> str:
    call, slash, op = key.rpartition("/")
    return f"{call.rpartition('#')[0]}{slash}{op}"


def _without_number(key: str) -> str:
    return key.rpartition(":")[0]
