"""Keeping a tape small: of which steps measurements and graphs stay, and taking out the others.

Scalars, the ids of structures, events and forward-only calls stay always. The rest is thinned to that of every second
step, every fourth and so on, measurements before graphs; last of all what the user asked to keep.
"""

import json
import math
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tracer.model.keep import Keep
from tracer.store import schema
from tracer.store.blobs import checksum
from tracer.store.structure_rows import StructureRows

FULL = 0.9
"""At this share of the size allowed thinning begins: what is committed at once must still fit."""

ENOUGH = 0.75
"""It goes on until no more than this is used, so that it does not begin anew with the next step."""

ALL = 1 << 40
"""A stride that no step is a multiple of."""

_KINDS = ("measurements", "graphs")
_MOST_CHANGES = 10_000
_LEAST_STEPS = 64


@dataclass(slots=True)
class _Use:
    """Who uses a structure: `stride` is the highest power of two that a step using it is a multiple of."""

    last: int
    stride: int
    is_protected: bool


@dataclass(slots=True)
class _Strides:
    """Of every how many-th step measurements and graphs are kept, of steps the user asked to keep and of others."""

    asked: list[int]
    others: list[int]

    def of(self, kind: int, is_protected: bool) -> int:
        return (self.asked if is_protected else self.others)[kind]


class Thinner:
    """Belongs to the writer's thread and works within its transactions. What it knows is no more than what it kept."""

    def __init__(self, connection: sqlite3.Connection, keep: Keep, structures: StructureRows) -> None:
        self._connection = connection
        self._keep = keep
        self._structures = structures
        self._limit_bytes = math.inf if keep.max_bytes is None else keep.max_bytes
        self._strides = _Strides([1, 1], [ALL, ALL] if keep.is_selective else [1, 1])
        self._newest = self._swept = -1
        self._structure: int | None = None
        self._changes: dict[int, None] = {}
        self._measured: dict[int, bool] = {}  # steps, and whether they are protected
        self._uses: dict[int, _Use] = {}
        self._bases: dict[int, int] = {}
        self._n_leaning: dict[int, int] = {}
        self._taken: tuple[dict[int, bool], dict[int, tuple[_Use, int | None]]] = ({}, {})
        self._added: list[int] = []
        self._is_over = False

    def note_step(self, step: int, structure: int | None) -> None:
        self._newest = max(self._newest, step)
        if structure is None:
            return
        if structure != self._structure:
            self._note_change(step)
        self._structure = structure
        use = self._uses.get(structure)
        if use is None:
            use = self._uses[structure] = _Use(step, 1, False)
            self._lean(structure, self._structures.base(structure))
            self._added.append(structure)
        use.last = step
        use.stride = max(use.stride, _stride(step))
        use.is_protected = use.is_protected or self._is_protected(step)

    def note_statistics(self, step: int) -> None:
        self._measured[step] = self._is_protected(step)

    def committed(self) -> None:
        self._taken = ({}, {})
        self._added.clear()

    def rolled_back(self) -> None:
        """What was taken out is there again, what was added is not."""
        for structure in self._added:
            self._uses.pop(structure, None)
            self._stop_leaning(structure)
        measured, graphs = self._taken
        self._measured = measured | self._measured
        for structure, (use, base) in graphs.items():
            if structure not in self._uses:
                self._uses[structure] = use
                self._lean(structure, base)
        self.committed()

    def thin(self) -> None:
        """Take out what is not to be kept, and more while the tape is too large. Raises sqlite3.Error."""
        if self._keep.is_selective and self._is_due():
            self._swept = self._newest
            if self._take_out(0) + self._take_out(1):
                self._say()
        if self._used_bytes() > FULL * self._limit_bytes:
            self._make_room(ENOUGH * self._limit_bytes)

    def _is_due(self) -> bool:
        """To go through all that is kept costs no more than the steps since."""
        return self._newest - self._swept >= max(_LEAST_STEPS, (len(self._measured) + len(self._uses)) // 8)

    def _make_room(self, wanted_bytes: float) -> None:
        """First what is no longer recent, then more, until it is enough or nothing is left that may go."""
        if self._has_room(range(len(_KINDS)), wanted_bytes):
            return
        for strides in (self._strides.others, self._strides.asked):
            while min(strides) < ALL:
                for kind in range(len(_KINDS)):
                    strides[kind] = _doubled(strides[kind], self._newest)
                    if self._has_room([kind], wanted_bytes):
                        return
        if self._used_bytes() > self._limit_bytes:
            self._tell_once()

    def _has_room(self, kinds: Iterable[int], wanted_bytes: float) -> bool:
        """Whether there is after these were thinned as the strides say."""
        if sum([self._take_out(kind) for kind in kinds]):
            self._say()
        return self._used_bytes() <= wanted_bytes

    def _take_out(self, kind: int) -> int:
        """How many measurements or graphs were."""
        horizon = self._newest - self._keep.n_recent
        return self._take_measurements(horizon) if kind == 0 else self._take_graphs(horizon)

    def _take_measurements(self, horizon: int) -> int:
        taken = [
            step
            for step, is_protected in self._measured.items()
            if step <= horizon and _stride(step) < self._strides.of(0, is_protected)
        ]
        self._connection.executemany("DELETE FROM statistics WHERE id = ?", [(step,) for step in taken])
        for step in taken:
            self._taken[0][step] = self._measured.pop(step)
        return len(taken)

    def _take_graphs(self, horizon: int) -> int:
        """A structure stays while a step that is kept has it, or one that stays leans on it."""
        taken = [
            structure
            for structure, use in self._uses.items()
            if use.last <= horizon
            and use.stride < self._strides.of(1, use.is_protected)
            and not self._n_leaning.get(structure)
        ]
        for structure in taken:
            self._take_graph(structure)
        return len(taken)

    def _take_graph(self, structure: int) -> None:
        *fields, _ = self._connection.execute("SELECT * FROM structure WHERE id = ?", (structure,)).fetchone()
        row = (*fields[:-2], None, 0)
        self._connection.execute("REPLACE INTO structure VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, checksum(*row)))
        self._connection.execute("DELETE FROM graph WHERE id = ?", (structure,))
        self._connection.execute("DELETE FROM source WHERE id = ?", (structure,))
        self._taken[1][structure] = self._uses.pop(structure), self._stop_leaning(structure)
        self._structures.forget(structure)

    def _lean(self, structure: int, base: int | None) -> None:
        if base is not None:
            self._bases[structure] = base
            self._n_leaning[base] = self._n_leaning.get(base, 0) + 1

    def _stop_leaning(self, structure: int) -> int | None:
        base = self._bases.pop(structure, None)
        if base is not None:
            self._n_leaning[base] -= 1
        return base

    def _note_change(self, step: int) -> None:
        if self._keep.changes:
            self._changes[step] = None
            if len(self._changes) > _MOST_CHANGES:
                del self._changes[next(iter(self._changes))]

    def _is_protected(self, step: int) -> bool:
        is_regular = self._keep.every is not None and step % self._keep.every == 0
        return is_regular or step in self._changes

    def _used_bytes(self) -> int:
        (pages,), (free,) = (
            self._connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count")
        )
        return int(pages - free) * schema.PAGE_BYTES

    def _say(self) -> None:
        """A gap for each kind says what is kept of the steps that are no longer recent."""
        self._connection.execute("DELETE FROM gap WHERE reason LIKE 'thinned: %'")
        number = int(self._connection.execute("SELECT coalesce(max(id), 0) FROM gap").fetchone()[0])
        for kind, name in enumerate(_KINDS):
            reason = self._reason(kind, name)
            if reason:
                number += 1
                row = number, 0, self._newest - self._keep.n_recent, reason
                self._connection.execute("INSERT INTO gap VALUES (?, ?, ?, ?, ?)", (*row, checksum(*row)))

    def _reason(self, kind: int, name: str) -> str:
        others, asked = self._strides.others[kind], self._strides.asked[kind]
        kept = []
        if self._keep.is_selective and asked < ALL:
            wanted = [_every(self._keep.every)] if self._keep.every else []
            wanted += ["steps that changed the structure"] if self._keep.changes else []
            kept += wanted if asked == 1 else [f"{each}, of these {_every(asked)}" for each in wanted]
        if 1 < others < ALL:
            kept.append(_every(others))
        if others == asked == 1:
            return ""
        return f"thinned: of these steps {name} are kept of {' and of '.join(kept) or 'none'}"

    def _tell_once(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        number = int(self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM event").fetchone()[0])
        text = "scalars, events and the last steps alone are larger than the size that was asked for"
        data = json.dumps({"max_bytes": self._keep.max_bytes, "text": text})
        row = number, "over_budget", self._newest, time.time_ns(), data
        self._connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", (*row, checksum(*row)))


def _stride(step: int) -> int:
    """The highest power of two that a step is a multiple of."""
    return step & -step or ALL // 2


def _doubled(stride: int, newest: int) -> int:
    return ALL if 2 * stride > newest else 2 * stride


def _every(n: int) -> str:
    """ "every 32nd step"."""
    ending = "th" if n // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return "every step" if n == 1 else f"every {n}{ending} step"
