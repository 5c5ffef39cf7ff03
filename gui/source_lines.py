"""Which line of which file made which nodes of a step, and how that compares with another step."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import networkx as nx

from gui import format as fmt
from tracer.model.labels import op_title

Lines = Mapping[int, tuple[str, ...]]
"""The keys of the nodes that each line made, in the order of the graph."""

MOST_OPS = 6

_lines: WeakKeyDictionary[nx.MultiDiGraph, Mapping[str, Lines]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class LineMark:
    """The nodes that a line made in the shown step, and how many it made in the compared one, None without one."""

    keys: tuple[str, ...]
    count_before: int | None = None

    @property
    def more(self) -> int:
        """How many nodes more than in the compared step; less than 0 for fewer."""
        return 0 if self.count_before is None else len(self.keys) - self.count_before


def lines_of(graph: nx.MultiDiGraph) -> Mapping[str, Lines]:
    """By file; made at the first question, which is best asked by the thread that draws."""
    found = _lines.get(graph)
    if found is None:
        by_file: dict[str, dict[int, list[str]]] = {}
        for key, source in graph.nodes(data="source"):
            if source is not None:
                by_file.setdefault(source["file"], {}).setdefault(source["line"], []).append(key)
        found = _lines[graph] = {
            file: {line: tuple(keys) for line, keys in lines.items()} for file, lines in by_file.items()
        }
    return found


def marks_in(file: str, now: Mapping[str, Lines], before: Mapping[str, Lines] | None) -> dict[int, LineMark]:
    """By line, also of those that made nodes in the compared step alone."""
    shown, compared = now.get(file, {}), {} if before is None else before.get(file, {})
    return {
        line: LineMark(shown.get(line, ()), None if before is None else len(compared.get(line, ())))
        for line in sorted({*shown, *compared})
    }


def files_by_count(now: Mapping[str, Lines]) -> list[tuple[str, int]]:
    """The files with how many nodes each made, the busiest first."""
    counts = {file: sum(map(len, lines.values())) for file, lines in now.items()}
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def mark_text(mark: LineMark, graph: nx.MultiDiGraph) -> str:
    """ "3 nodes in this step: 2 × Mm, Add; 1 more than in the compared step"."""
    counts = Counter(op_title(graph.nodes[key]["op"] or "") for key in mark.keys if key in graph)
    ops = [op if n == 1 else f"{fmt.count(n)} × {op}" for op, n in counts.most_common(MOST_OPS)]
    if len(counts) > MOST_OPS:
        ops.append("…")
    made = f"{fmt.plural(len(mark.keys), 'node')} in this step" if mark.keys else "No node in this step"
    text = f"{made}: {', '.join(ops)}" if ops else made
    if not mark.more:
        return text
    difference = f"{fmt.count(abs(mark.more))} {'more' if mark.more > 0 else 'fewer'}"
    return f"{text}; {difference} than in the compared step"


def more_text(mark: LineMark) -> str:
    """ "+12", "−4", "" where the line ran as often."""
    return f"{'+' if mark.more > 0 else '−'}{fmt.count(abs(mark.more))}" if mark.more else ""
