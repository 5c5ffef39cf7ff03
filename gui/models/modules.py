"""The module calls of a step as a tree: who called whom, of which class, with how many ops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from weakref import WeakKeyDictionary

import networkx as nx
from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt

from gui import format as fmt
from gui.models.tree import KEY_ROLE, Index
from gui.plain_text import plain_tip
from tracer.model.call_keys import call_keys, unmarked

_ROOT = QModelIndex()
LEAST_FOLDED = 4
"""So many calls of one module, one right after the other, share a row that holds theirs."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A row: a module call, or the calls of one module that follow each other, by the key of the first."""

    key: str
    name: str
    class_name: str
    ops: int
    grad_enabled: bool
    parent: int | None
    row: int
    children: tuple[int, ...]


class ModuleModel(QAbstractItemModel):
    """Rows are calls, and runs of calls of one module. An index's internal id is the call's place in `module_calls`,
    runs counting from there on."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._calls: tuple[_Call, ...] = ()
        self._count = 0
        self._numbers: dict[str, int] = {}
        self._top: tuple[int, ...] = ()

    def set_graph(self, graph: nx.MultiDiGraph | None) -> None:
        calls = call_rows(graph) if graph is not None else ()
        if calls is self._calls or calls == self._calls:
            return
        self.beginResetModel()
        self._calls = calls
        self._count = len(graph.graph["module_calls"]) if graph is not None else 0
        self._numbers = {call.key: number for number, call in enumerate(calls[: self._count])}
        top = (number for number, call in enumerate(calls) if call.parent is None)
        self._top = tuple(sorted(top, key=lambda number: calls[number].row))
        self.endResetModel()

    def __len__(self) -> int:
        """How many calls there are, at whatever depth."""
        return self._count

    def folds(self) -> list[QModelIndex]:
        """The rows that hold several calls of one module."""
        return [self._index(number) for number in range(self._count, len(self._calls))]

    def is_fold(self, index: Index) -> bool:
        return index.isValid() and index.internalId() >= self._count

    def find(self, key: str) -> QModelIndex:
        """The row of a call by its key (see `call_keys`), invalid if there is no such call."""
        found = self._numbers.get(key)
        return QModelIndex() if found is None else self._index(found)

    def index(self, row: int, column: int, parent: Index = _ROOT) -> QModelIndex:
        children = self._children(parent)
        if not (0 <= row < len(children) and 0 <= column < 3):
            return QModelIndex()
        return self.createIndex(row, column, children[row])

    def hasChildren(self, parent: Index = _ROOT) -> bool:
        return parent.column() <= 0 and bool(self._children(parent))

    def parent(self, index: Index = _ROOT) -> QModelIndex:  # type: ignore[override]
        if not index.isValid():
            return QModelIndex()
        above = self._calls[index.internalId()].parent
        return QModelIndex() if above is None else self._index(above)

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.column() > 0 else len(self._children(parent))

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 3

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        call = self._calls[index.internalId()]
        if role == Qt.ItemDataRole.DisplayRole:
            ops = fmt.count(call.ops) if call.grad_enabled else "–"
            return (call.name, call.class_name, ops)[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._told(call))
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == 2:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return call.key if role == KEY_ROLE else None

    def _told(self, call: _Call) -> str:
        """All that the columns say, which may have no room for it."""
        where = call.key if call.grad_enabled else self.tr("{0}, without gradients").format(unmarked(call.key)[0])
        ops = f" · {fmt.plural(call.ops, 'op')}" if call.grad_enabled else ""
        return f"{where}\n{call.class_name}{ops}"

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("Module"), self.tr("Class"), self.tr("Ops"))[section]
        if role == Qt.ItemDataRole.TextAlignmentRole and section == 2:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _children(self, parent: Index) -> tuple[int, ...]:
        return self._calls[parent.internalId()].children if parent.isValid() else self._top

    def _index(self, number: int) -> QModelIndex:
        return self.createIndex(self._calls[number].row, 0, number)


_rows: WeakKeyDictionary[nx.MultiDiGraph, tuple[_Call, ...]] = WeakKeyDictionary()


def call_rows(graph: nx.MultiDiGraph) -> tuple[_Call, ...]:
    """Made at the first question, which is best asked by the thread that draws."""
    rows = _rows.get(graph)
    if rows is None:
        rows = _rows[graph] = _calls(graph)
    return rows


def _calls(graph: nx.MultiDiGraph) -> tuple[_Call, ...]:
    dicts: Sequence[Mapping[str, Any]] = graph.graph["module_calls"]
    children: list[list[int]] = [[] for _ in dicts]
    rows, top = [], 0
    for number, call in enumerate(dicts):
        if call["parent"] is None:
            rows.append(top)
            top += 1
        else:
            rows.append(len(children[call["parent"]]))
            children[call["parent"]].append(number)
    ops = _op_counts(graph, dicts)
    paths, keys = _repeated_paths(dicts), call_keys(graph)
    return _folded(
        [
            _Call(
                keys[number],
                _name(call, dicts, paths),
                call["class"],
                ops[number],
                call["grad_enabled"],
                call["parent"],
                rows[number],
                tuple(children[number]),
            )
            for number, call in enumerate(dicts)
        ],
        [(call["path"], call["class"], call["grad_enabled"]) for call in dicts],
    )


def _folded(calls: list[_Call], modules: Sequence[tuple[str, str, bool]]) -> tuple[_Call, ...]:
    """The same with a row over each run of calls of one module, after them."""
    top = tuple(number for number, call in enumerate(calls) if call.parent is None)
    for parent, siblings in [(None, top), *((number, call.children) for number, call in enumerate(calls))]:
        rows: list[int] = []
        for _, run in groupby(siblings, key=modules.__getitem__):
            numbers = tuple(run)
            if len(numbers) < LEAST_FOLDED:
                rows += numbers
                continue
            rows.append(len(calls))
            for row, number in enumerate(numbers):
                calls[number] = replace(calls[number], parent=len(calls), row=row)
            calls.append(_run_of([calls[number] for number in numbers], parent, numbers))
        for row, number in enumerate(rows):
            calls[number] = replace(calls[number], row=row)
        if parent is not None:
            calls[parent] = replace(calls[parent], children=tuple(rows))
    return tuple(calls)


def _run_of(calls: list[_Call], parent: int | None, numbers: tuple[int, ...]) -> _Call:
    first = calls[0]
    name = f"{first.name.partition(' #')[0]} ×{fmt.count(len(calls))}"
    ops = sum(call.ops for call in calls)
    return _Call(first.key, name, first.class_name, ops, first.grad_enabled, parent, 0, numbers)


def _op_counts(graph: nx.MultiDiGraph, calls: Sequence[Mapping[str, Any]]) -> list[int]:
    """Ops made inside each call, those of its inner calls included."""
    numbers = {key: number for number, key in enumerate(call_keys(graph))}
    counts = [0] * len(calls)
    for _, node in graph.nodes(data=True):
        number = numbers.get(node.get("call_key"))
        if node["kind"] == "op" and number is not None:
            counts[number] += 1
    # A parent stands before its children, so backwards every count is complete when it is handed up.
    for number in range(len(calls) - 1, -1, -1):
        parent = calls[number]["parent"]
        if parent is not None:
            counts[parent] += counts[number]
    return counts


def _repeated_paths(calls: Sequence[Mapping[str, Any]]) -> set[str]:
    return {call["path"] for call in calls if call["call"] > 0}


def _name(call: Mapping[str, Any], calls: Sequence[Mapping[str, Any]], repeated: set[str]) -> str:
    """The path below the calling module's, with the call's number where the module is called again."""
    path = call["path"]
    above = calls[call["parent"]]["path"] if call["parent"] is not None else ""
    name = path.removeprefix(f"{above}.") if above else path
    if path in repeated:
        name = f"{name} #{call['call']}"
    name = name or call["class"]
    return f"{name} ×{fmt.count(call['count'])}" if call["count"] > 1 else name
