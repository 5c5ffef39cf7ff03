"""What a query finds among the steps of a tape: those in which it holds."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tracer.errors import QueryError, TapeError, ThinnedError
from tracer.model.comparing import compared, is_so
from tracer.model.matching import test_of
from tracer.model.query import (
    NODE_FIELDS,
    QUANTITIES,
    And,
    Expression,
    Finite,
    Flag,
    Not,
    Number,
    Or,
    Query,
    Ran,
    Text,
    terms,
)
from tracer.model.records import Event
from tracer.model.search import SearchIndex, all_calls
from tracer.model.statistics import Statistics
from tracer.model.step_table import NONE, StepTable
from tracer.model.structure import ModuleCall, SourceLine, Structure, to_networkx

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Content: TypeAlias = tuple[int, int]
"""What of a step many steps share: the numbers of its structure and of its forward-only passes, NONE for none."""

KEPT_INDEXES = 4
_NOTHING = Structure((), (), (), ())


class StepSource(Protocol):
    """What is asked of a tape. `Tape` is one."""

    @property
    def table(self) -> StepTable: ...
    @property
    def scalars(self) -> list[str]: ...
    def series(self, name: str) -> tuple[Ints, NDArray[np.float64]]: ...
    def events(self) -> list[Event]: ...
    def statistics(self, index: int) -> Statistics | None: ...
    def structure(self, number: int) -> Structure: ...
    def evaluation(self, number: int) -> tuple[ModuleCall, ...]: ...
    def lines(self, number: int) -> Sequence[SourceLine | None]: ...
    def digest_of_lines(self, number: int) -> bytes | None: ...


class StepSearch:
    """Answers queries about the steps of one tape, also while it grows: what many steps share is tested once. Of a step
    whose graph was thinned out it finds only what holds whatever that graph was.

    What is asked of nodes side by side, as in `op:relu -module:layer4`, has to hold of one node; where all of it is
    negative, as in `not op:relu`, no node may be so.
    """

    def __init__(self, source: StepSource, is_wanted: Callable[[], bool] = lambda: True) -> None:
        self._source = source
        self._is_wanted = is_wanted
        self._answers: dict[Expression, dict[object, bool | None]] = {}
        self._has_unknown = self._takes_unknown = False
        self._indexes: dict[Content, SearchIndex] = {}

    def find(self, query: Query) -> Ints:
        """The steps in which the query holds, growing. Raises QueryError where it asks for a scalar there is none of.

        Not all of them once nobody wants the answer any more.
        """
        steps: Ints = self._source.table.column("steps").astype(np.int64)
        if query.expression is None:
            return steps[:0]
        self._has_unknown = self._takes_unknown = False
        found = self._where(query.expression)
        if self._has_unknown:
            self._takes_unknown = True
            found &= self._where(query.expression)
        return steps[found]

    def forget(self) -> None:
        """Lets go of the answers to earlier queries."""
        self._answers.clear()

    def _where(self, expression: Expression) -> Bools:
        if isinstance(expression, And):
            return self._all(expression)
        if isinstance(expression, Or):
            return _any([self._where(part) for part in expression.parts])
        if isinstance(expression, Not):
            return ~self._where(expression.part)
        if self._is_of_nodes(expression):
            return self._somewhere(expression)
        if isinstance(expression, Ran):
            ran = expression
            return self._by_content(ran, lambda content: _ran(ran, self._calls(content)))
        if isinstance(expression, Number):
            return compared(expression, self._numbers(expression))
        if isinstance(expression, Finite):
            return self._finite(expression)
        if isinstance(expression, Flag):
            return self._flag(expression)
        assert isinstance(expression, Text)
        return self._named(expression)

    def _all(self, expression: And) -> Bools:
        of_nodes = tuple(part for part in expression.parts if self._is_of_nodes(part))
        if all(isinstance(part, Not) for part in of_nodes):
            return _every([self._where(part) for part in expression.parts])
        one = of_nodes[0] if len(of_nodes) == 1 else And(of_nodes)
        others = [self._where(part) for part in expression.parts if part not in of_nodes]
        return _every([self._somewhere(one), *others])

    def _is_of_nodes(self, expression: Expression) -> bool:
        """Whether all of it is asked of single nodes or calls."""
        return all(self._is_term_of_nodes(term) for term in terms(expression))

    def _is_term_of_nodes(self, term: Expression) -> bool:
        if isinstance(term, Text):
            return not term.field or term.field in NODE_FIELDS
        if isinstance(term, Number):
            return term.name in QUANTITIES and self._scalar(term.name) is None
        return isinstance(term, Flag) and term.name == "opaque"

    def _somewhere(self, expression: Expression) -> Bools:
        """The steps in which a node or call satisfies an expression about nodes."""
        if isinstance(expression, Not):
            return ~self._somewhere(expression.part)
        if any(isinstance(term, Number) for term in terms(expression)):
            return self._measured(expression)
        has_lines = any(isinstance(term, Text) and term.field == "source" for term in terms(expression))
        return self._by_content(expression, lambda content: self._index(content).holds(expression), has_lines)

    def _by_content(self, expression: Expression, test: Callable[[Content], bool], has_lines: bool = False) -> Bools:
        """`test` once for what many steps share; again where source lines came to be known that matter."""
        table = self._source.table
        structures, evaluations = (table.column(name).astype(np.int64) for name in ("structures", "evaluations"))
        if not len(structures):
            return np.zeros(0, np.bool_)
        width = int(evaluations.max()) + 2
        pairs, rows = np.unique((structures + 1) * width + evaluations + 1, return_inverse=True)
        answers = self._answers.setdefault(expression, {})
        found = np.zeros(len(pairs), np.bool_)
        for at, pair in enumerate(pairs.tolist()):
            content = pair // width - 1, pair % width - 1
            key = (content, self._digest(content)) if has_lines else content
            if answers.get(key) is None:
                if not self._is_wanted():
                    break
                if has_lines:
                    self._indexes.pop(content, None)
                answers[key] = content != (NONE, NONE) and self._tested(test, content)
            answer = answers[key]
            self._has_unknown |= answer is None
            found[at] = self._takes_unknown if answer is None else answer
        answered: Bools = found[rows.reshape(-1)]
        return answered

    def _tested(self, test: Callable[[Content], bool], content: Content) -> bool | None:
        """None where its graph was thinned out."""
        try:
            return test(content)
        except ThinnedError:
            return None

    def _measured(self, expression: Expression) -> Bools:
        """The steps in which it holds of something measured; each has numbers of its own."""
        table = self._source.table
        levels = table.names["levels"].texts
        is_measured = np.array([level != "structure" for level in levels] or [False])[table.column("levels")]
        rows = np.flatnonzero(is_measured & (table.column("structures") != NONE))
        rows = rows[np.lexsort((table.column("evaluations")[rows], table.column("structures")[rows]))]
        columns = (table.column(name)[rows].tolist() for name in ("steps", "structures", "evaluations"))
        found = np.zeros(len(table), np.bool_)
        answers = self._answers.setdefault(expression, {})
        for row, (step, *content) in zip(rows.tolist(), zip(*columns, strict=True), strict=True):
            if step not in answers:
                if not self._is_wanted():
                    break
                answer = self._holds(expression, step, (content[0], content[1]))
                if answer is None:
                    continue
                answers[step] = answer
            found[row] = bool(answers[step])
        return found

    def _holds(self, expression: Expression, step: int, content: Content) -> bool | None:
        """None where the numbers were lost, are still to come, or are of another kind than what is asked for."""
        try:
            statistics = self._source.statistics(step)
            return self._index(content).holds(expression, statistics)
        except (TapeError, QueryError):
            return None

    def _index(self, content: Content) -> SearchIndex:
        if content not in self._indexes:
            while len(self._indexes) >= KEPT_INDEXES:
                self._indexes.pop(next(iter(self._indexes)))
            self._indexes[content] = self._new_index(content)
        return self._indexes[content]

    def _new_index(self, content: Content) -> SearchIndex:
        """The nodes and all module calls; edges are not asked for."""
        structure = self._structure(content)
        lines = () if content[0] == NONE else tuple(self._source.lines(content[0]))
        graph = to_networkx(replace(structure, edges=()), self._evaluation(content), lines)
        return SearchIndex(graph, all_calls(graph))

    def _structure(self, content: Content) -> Structure:
        return _NOTHING if content[0] == NONE else self._source.structure(content[0])

    def _evaluation(self, content: Content) -> tuple[ModuleCall, ...]:
        return () if content[1] == NONE else self._source.evaluation(content[1])

    def _calls(self, content: Content) -> tuple[Sequence[ModuleCall], ...]:
        return self._evaluation(content), self._structure(content).calls

    def _digest(self, content: Content) -> bytes | None:
        return None if content[0] == NONE else self._source.digest_of_lines(content[0])

    def _scalar(self, name: str) -> str | None:
        """The scalar's own name, whatever its case."""
        return next((known for known in self._source.scalars if known.lower() == name), None)

    def _numbers(self, number: Number) -> NDArray[np.float64]:
        """What is compared at each step, NaN where there is none."""
        table = self._source.table
        if number.name == "step":
            return table.column("steps").astype(np.float64)
        if number.name == "duration" and self._scalar(number.name) is None:
            return table.durations
        return self._values(number.name, number.at)[0]

    def _values(self, name: str, at: int) -> tuple[NDArray[np.float64], Bools]:
        """A scalar at each step, and whether it has a value there."""
        known = self._scalar(name)
        if known is None:
            names = ", ".join(("step", "duration", *self._source.scalars))
            raise QueryError(f"There is no scalar {name!r} in this tape; there are {names}.", at)
        steps, values = self._source.series(known)
        every = self._source.table.column("steps")
        places = np.searchsorted(every, steps)
        is_there = places < len(every)
        is_there[is_there] &= every[places[is_there]] == steps[is_there]
        found, has_value = np.full(len(every), np.nan), np.zeros(len(every), np.bool_)
        found[places[is_there]], has_value[places[is_there]] = values[is_there], True
        return found, has_value

    def _finite(self, term: Finite) -> Bools:
        values, has_value = self._values(term.name, term.at)
        found: Bools = has_value & (np.isfinite(values) == term.is_finite)
        return found

    def _flag(self, flag: Flag) -> Bools:
        table = self._source.table
        if flag.name == "unreached":
            return self._by_content(flag, lambda content: bool(self._structure(content).unreached))
        found = np.zeros(len(table), np.bool_)
        recorded = np.flatnonzero(table.column("topologies") != NONE)
        topologies, shapes = table.column("topologies")[recorded], table.column("shapes")[recorded]
        if flag.name == "new":
            found[recorded[np.unique(topologies, return_index=True)[1]]] = True
            return found
        has_new_topology = topologies[1:] != topologies[:-1]
        is_changed = has_new_topology if flag.name == "changed" else ~has_new_topology & (shapes[1:] != shapes[:-1])
        found[recorded[1:]] = is_changed
        return found

    def _named(self, term: Text) -> Bools:
        """By what a step is called: its phase, optimizer, level, structure, or what happened in it."""
        table, fits = self._source.table, test_of(term)
        if term.field == "event":
            steps = {event.step for event in self._source.events() if fits(event.kind.lower())}
            happened: Bools = np.isin(table.column("steps"), np.array(sorted(steps), np.int64))
            return happened
        if term.field != "structure":
            return _of_texts(table, f"{term.field}s", fits)
        if term.text[:1] == "#" and term.text[1:].isdecimal():
            number = int(term.text[1:]) - 1
            return np.equal(table.column("topologies"), number) & (number != NONE)
        begins: Callable[[str], bool] = (
            fits if term.is_glob else lambda text: bool(term.text) and text.startswith(term.text)
        )
        return _of_texts(table, "topologies", begins) | _of_texts(table, "shapes", begins)


def _of_texts(table: StepTable, column: str, fits: Callable[[str], bool]) -> Bools:
    answers = np.array([*(fits(text.lower()) for text in table.names[column].texts), False])
    found: Bools = answers[table.column(column)]  # NONE is the last
    return found


def _ran(ran: Ran, parts: Sequence[Sequence[ModuleCall]]) -> bool:
    """Whether a module that fits, and lies in none that does, ran so often: forward-only calls count as well."""
    fits = _fits_call(ran.module)
    times: dict[str, int] = {}
    for calls in parts:
        lies_in: list[bool] = []
        for position, call in enumerate(calls):
            above = call.parent is not None and 0 <= call.parent < position and lies_in[call.parent]
            does = not above and fits(call.path, call.class_name, call.call)
            if does:
                times[call.path] = times.get(call.path, 0) + call.count
            lies_in.append(does or above)
    return any(is_so(ran.operator, count, ran.value) for count in times.values() or (0,))


def _fits_call(module: Text) -> Callable[[str, str, int], bool]:
    """By path, `path#call` and class, as the search among nodes; in a loop the same is asked again and again."""
    fits = test_of(module)

    @cache
    def does(path: str, class_name: str, number: int) -> bool:
        names = (class_name,) if module.field == "class" else (path, f"{path}#{number}", class_name)
        return any(name and fits(name.lower()) for name in names)

    return does


def _any(parts: Sequence[Bools]) -> Bools:
    found: Bools = np.logical_or.reduce(parts)
    return found


def _every(parts: Sequence[Bools]) -> Bools:
    found: Bools = np.logical_and.reduce(parts)
    return found


def step_ranges(steps: Ints) -> list[tuple[int, int]]:
    """The first and last of each run of consecutive steps."""
    if not len(steps):
        return []
    ends = np.flatnonzero(np.diff(steps) != 1)
    firsts = steps[np.append(0, ends + 1)].tolist()
    return list(zip(firsts, steps[np.append(ends, len(steps) - 1)].tolist(), strict=True))
