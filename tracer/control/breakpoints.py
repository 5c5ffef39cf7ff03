"""The breakpoints of a running training: which conditions a step meets, and what follows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tracer.conditions import checked, make_test
from tracer.errors import UsageError
from tracer.model.breakpoints import MAX_BREAKPOINTS, Breakpoint, hit_test
from tracer.model.expression import Message, Scope
from tracer.model.step_facts import StepFacts

_LONGEST_LOG = 1000


@dataclass(frozen=True, slots=True)
class Hit:
    """A breakpoint whose condition was met. `text` says by what; `acted`, whether its hit condition was met too: then
    it stops, or, where it has a log message, writes `log`."""

    breakpoint: Breakpoint
    text: str
    hits: int
    acted: bool
    log: str = ""

    @property
    def stops(self) -> bool:
        return self.acted and not self.breakpoint.log_message


class _Armed:
    """An enabled breakpoint with the state of its test."""

    def __init__(self, breakpoint: Breakpoint, n_hits: int = 0) -> None:
        self.breakpoint = breakpoint
        self.test = make_test(breakpoint)
        self.hits = n_hits
        self.has_answered = False
        self._acts = hit_test(breakpoint.hit_condition)
        self._message = Message(breakpoint.log_message) if breakpoint.log_message else None

    def hit(self, text: str, facts: StepFacts) -> Hit:
        self.hits += 1
        acted = self._acts(self.hits)
        log = ""
        if acted and self._message is not None:
            log = self._message.filled(Scope(facts.index, facts.scalars, facts.history))[:_LONGEST_LOG]
        return Hit(self.breakpoint, text, self.hits, acted, log)


class Breakpoints:
    """Set by the control thread, a whole list at a time, and asked by the training thread; the control thread makes a
    new object, so that neither waits for the other."""

    def __init__(self, breakpoints: Iterable[Breakpoint] = (), earlier: "Breakpoints | None" = None) -> None:
        """What was set alike in `earlier` keeps its hits and its state. Raises UsageError where one makes no sense."""
        self.all = tuple(checked(breakpoint) for breakpoint in breakpoints)
        if len(self.all) > MAX_BREAKPOINTS:
            raise UsageError(f"There are {len(self.all)} breakpoints; at most {MAX_BREAKPOINTS} can be set.")
        if len({breakpoint.id for breakpoint in self.all}) < len(self.all):
            raise UsageError("Two breakpoints have the same id; give each an id of its own.")
        kept = {} if earlier is None else {armed.breakpoint.id: armed for armed in earlier._armed}
        self._armed: list[_Armed] = [_kept(kept.get(each.id), each) for each in self.all if each.is_enabled]
        self._undecided: list[_Armed] = []
        self._asked_step = -1
        if earlier is not None:  # a step that was asked already is not asked anew
            self._asked_step = earlier._asked_step
            self._undecided = [armed for armed in earlier._undecided if armed in self._armed]

    @property
    def are_armed(self) -> bool:
        return bool(self._armed)

    @property
    def unanswered(self) -> list[Breakpoint]:
        """Those whose condition could not be told of any step so far."""
        return [armed.breakpoint for armed in self._armed if not armed.has_answered]

    def ask(self, before: StepFacts | None, facts: StepFacts, is_end: bool) -> list[Hit]:
        """What the step meets. Asked twice of a step, the second time only those tests count that could not tell the
        first time; at its end what cannot be told is not met."""
        waiting = self._undecided if self._asked_step == facts.index else self._armed
        self._asked_step = facts.index
        undecided: list[_Armed] = []
        hits: list[Hit] = []
        for armed in waiting:
            text = armed.test(before, facts)
            armed.has_answered = armed.has_answered or text is not None
            if text:
                hits.append(armed.hit(text, facts))
            elif text is None and not is_end:
                undecided.append(armed)
        self._undecided = undecided
        if hits:
            self._disable({hit.breakpoint.id for hit in hits if hit.acted and hit.breakpoint.is_one_shot})
        return hits

    def _disable(self, ids: set[int]) -> None:
        if ids:
            self._armed = [armed for armed in self._armed if armed.breakpoint.id not in ids]
            self.all = tuple(replace(each, is_enabled=False) if each.id in ids else each for each in self.all)


def _kept(known: _Armed | None, breakpoint: Breakpoint) -> _Armed:
    """Its state, where it waits for the same as before."""
    if known is None or (known.breakpoint.condition, known.breakpoint.fields) != (
        breakpoint.condition,
        breakpoint.fields,
    ):
        return _Armed(breakpoint)
    if known.breakpoint == breakpoint:
        return known
    changed = _Armed(breakpoint, known.hits)
    changed.test = known.test
    return changed
