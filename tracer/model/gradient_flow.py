"""How gradients flow through a model over its steps: norms by parameter and module, and what is wrong with them.

`GradientFlow` is told of measured steps in order and keeps a bounded number of them; what it finds, it finds in all.
"""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log10

import numpy as np
from numpy.typing import NDArray

from tracer.model.statistics import Statistics, Table

Floats = NDArray[np.float32]

MOST_COLUMNS = 2_000
"""Steps kept; more than a screen has pixels for. Of more every second is let go."""

FLOW_FACTOR = 1e3
"""From one end of the model to the other. Sizes of layers alone make a factor of up to a hundred in common models."""

SPIKE_FACTOR = 1e2
"""Over the median of the steps before. A factor of ten is an ordinary batch, and what clipping is made for."""

WINDOW = 20
"""So many measured steps before are looked at."""

FEWEST_BEFORE = 5
"""Of fewer steps a median says nothing."""

ZERO_STEPS = 3
"""Exactly zero in so many measured steps in a row; once may be a batch that has nothing for the parameter."""

DEAD_STEPS = 5
"""Units that are zero for all samples in each of so many measured steps; in one they may have had bad luck."""

MOST_SPIKES = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong. `name` is a module's path, a parameter, or, where units are dead, a module call's key.

    Kinds: vanishing, exploding (`other` is where from, `factor` how much between), spike (`factor` over the median
    before; this the worst of `count` modules), not_finite (likewise), unreached, zero (in the last `count` measured
    steps, since `step`), dead (at most `count` of `total` units).
    """

    kind: str
    name: str
    step: int
    other: str = ""
    factor: float = 1.0
    count: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Norms:
    """Norms of gradients, float32 (names, steps): 0 where one is exactly zero, infinite where it is not finite, NaN
    where there was none. Names stand in the order in which the forward pass uses them."""

    names: tuple[str, ...]
    steps: NDArray[np.int64]
    values: Floats

    def at(self, step: int) -> Floats:
        """The norms in a step, (names,); of the last measured step before it where it was not measured itself, NaN
        where there is none."""
        column = self.column(step)
        return self.values[:, column] if column >= 0 else np.full(len(self.names), np.nan, np.float32)

    def column(self, step: int) -> int:
        """Which one is of that step, or the last before it; -1 where there is none."""
        return int(np.searchsorted(self.steps, step, side="right")) - 1


class GradientFlow:
    """Takes in the measured steps of one tape, in their order."""

    def __init__(self, most_columns: int = MOST_COLUMNS) -> None:
        self._most = most_columns
        self._rows: dict[str, int] = {}
        self._steps: list[int] = []
        self._columns: list[Floats] = []
        self._stride = 1
        self.n_added = 0
        self._zero_since: dict[str, tuple[int, int]] = {}
        self._recent: deque[dict[str, float]] = deque(maxlen=WINDOW)
        self._spikes: list[Finding] = []
        self._has_spiked: set[tuple[str, str]] = set()
        self._dead: dict[str, deque[tuple[int, int, int]]] = {}

    def add(self, step: int, statistics: Statistics) -> None:
        """Take in what was measured in a step that comes after all those before."""
        found = norms_in(statistics.parameters)
        for name in found:
            self._rows.setdefault(name, len(self._rows))
        self._note_zeros(step, found)
        self._note_spikes(step, found)
        self._note_dead(step, statistics.calls)
        if self.n_added % self._stride == 0:
            column = np.full(len(self._rows), np.nan, np.float32)
            column[[self._rows[name] for name in found]] = list(found.values())
            self._steps.append(step)
            self._columns.append(column)
            self._thin_out()
        self.n_added += 1

    def parameters(self) -> Norms:
        """The norms of every parameter in the steps that were kept."""
        values = np.full((len(self._rows), len(self._columns)), np.nan, np.float32)
        for at, column in enumerate(self._columns):
            values[: len(column), at] = column
        return Norms(tuple(self._rows), np.array(self._steps, np.int64), values)

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong over all steps, the gravest first."""
        zeros = (
            Finding("zero", name, since, count=count)
            for name, (since, count) in self._zero_since.items()
            if count >= ZERO_STEPS
        )
        return (*self._spikes, *zeros, *self._dead_units())

    def _thin_out(self) -> None:
        if len(self._steps) > self._most:
            self._steps, self._columns = self._steps[::2], self._columns[::2]
            self._stride *= 2

    def _note_zeros(self, step: int, found: dict[str, float]) -> None:
        for name, norm in found.items():
            if norm == 0:
                since, count = self._zero_since.get(name, (step, 0))
                self._zero_since[name] = since, count + 1
            else:
                self._zero_since.pop(name, None)

    def _note_spikes(self, step: int, found: dict[str, float]) -> None:
        now = {name: norm for name, norm in _joined(found).items() if not np.isnan(norm)}
        factors = {name: self._factor(name, norm) for name, norm in now.items()}
        self._add_spike("not_finite", step, {name: factor for name, factor in factors.items() if not isfinite(factor)})
        self._add_spike(
            "spike", step, {name: one for name, one in factors.items() if isfinite(one) and one > SPIKE_FACTOR}
        )
        self._recent.append(now)

    def _factor(self, name: str, norm: float) -> float:
        """The norm over what it was in the steps before; 0 where these say nothing."""
        before = [norms[name] for norms in self._recent if name in norms and isfinite(norms[name])]
        usual = float(np.median(before)) if len(before) >= FEWEST_BEFORE else 0.0
        if not isfinite(norm):
            return inf
        return norm / usual if usual else 0.0

    def _add_spike(self, kind: str, step: int, factors: dict[str, float]) -> None:
        """One for all modules of a step, named by the worst; none where each had one before, which these may follow
        from."""
        fresh = [name for name in factors if (kind, name) not in self._has_spiked]
        self._has_spiked.update((kind, name) for name in fresh)
        if fresh and len(self._spikes) < MOST_SPIKES:
            worst = max(fresh, key=factors.__getitem__)
            self._spikes.append(Finding(kind, worst, step, factor=factors[worst], count=len(factors)))

    def _note_dead(self, step: int, calls: Table) -> None:
        if not {"dead_units", "units"} <= set(calls.columns):
            return
        counts = calls.column("dead_units"), calls.column("units")
        for key, dead, units in zip(calls.keys, *(column.tolist() for column in counts), strict=True):
            if units > 0:
                recent = self._dead.setdefault(key, deque(maxlen=DEAD_STEPS))
                recent.append((step, int(dead), int(units)))

    def _dead_units(self) -> Iterator[Finding]:
        for key, recent in self._dead.items():
            fewest = min(dead for _, dead, _ in recent)
            if len(recent) == DEAD_STEPS and fewest:
                yield Finding("dead", key, recent[0][0], count=fewest, total=recent[-1][2])


def norms_in(parameters: Table) -> dict[str, float]:
    """By parameter, in order: its gradient's norm, infinite where that is not finite, NaN where there was none."""
    if not {"grad_norm", "has_grad"} <= set(parameters.columns):
        return {}
    norms, has_grad = parameters.column("grad_norm"), parameters.column("has_grad")
    told = np.where(has_grad == 0, np.nan, np.where(np.isfinite(norms), norms, np.inf))
    return dict(zip(parameters.keys, told.tolist(), strict=True))


def module_of(parameter: str) -> str:
    """The path of the module that owns it, "" for the outermost."""
    return parameter.rpartition(".")[0]


def by_module(norms: Norms) -> Norms:
    """The norm of all gradients of each module that owns parameters, together."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(norms.names):
        rows.setdefault(module_of(name), []).append(row)
    parts = [_together(norms.values[of_module]) for of_module in rows.values()]
    values = np.stack(parts) if parts else np.empty((0, len(norms.steps)), np.float32)
    return Norms(tuple(rows), norms.steps, values)


def flow_finding(names: Sequence[str], norms: Floats, step: int) -> Finding | None:
    """Whether the gradients of one step vanish or explode on their way from the loss: all in the last quarter of the
    modules against all in the first, that no single module makes a trend. `factor` is between the ends."""
    known = [(name, float(norm)) for name, norm in zip(names, norms, strict=True) if isfinite(norm) and norm > 0]
    if len(known) < 2:
        return None
    logs = [log10(norm) for _, norm in known]
    quarter = max(len(known) // 4, 1)
    first, last, least = logs[:quarter], logs[-quarter:], log10(FLOW_FACTOR)
    if min(last) - max(first) >= least:
        return Finding("vanishing", known[0][0], step, known[-1][0], 10 ** (logs[-1] - logs[0]))
    if min(first) - max(last) >= least:
        return Finding("exploding", known[0][0], step, known[-1][0], 10 ** (logs[0] - logs[-1]))
    return None


def findings_at(modules: Norms, unreached: Collection[str], step: int) -> tuple[Finding, ...]:
    """What is wrong in one step: the flow through its modules, parameters without a gradient."""
    flow = flow_finding(modules.names, modules.at(step), step)
    lacking = [Finding("unreached", name, step) for name in sorted(unreached)]
    return (*([] if flow is None else [flow]), *lacking)


def sentence(finding: Finding) -> str:
    """A finding as the user reads it."""
    name = finding.name or "the model itself"
    other = finding.other or "the model itself"
    call = finding.name.removesuffix("#0")
    more = f", and {finding.count - 1:,} more" if finding.count > 1 else ""
    return {
        "vanishing": f"Gradients shrink {_power(finding.factor)}-fold from {other} to {name}",
        "exploding": f"Gradients grow {_power(finding.factor)}-fold from {other} to {name}",
        "spike": f"{name} explodes at step {finding.step:,}: {finding.factor:,.0f} times its usual gradient{more}",
        "not_finite": f"{name} has a gradient that is not finite at step {finding.step:,}{more}",
        "unreached": f"{name} was not reached by the loss of step {finding.step:,}",
        "zero": f"{name} has had a gradient of exactly zero since step {finding.step:,}"
        f" ({finding.count:,} measured steps)",
        "dead": f"{call}: up to {finding.count:,} of {finding.total:,} units were zero for every sample in each of the"
        f" last {DEAD_STEPS} measured steps",
    }[finding.kind]


def _power(factor: float) -> str:
    return f"10^{log10(factor):.0f}" if isfinite(factor) else "infinitely"


def _joined(found: dict[str, float]) -> dict[str, float]:
    """The norm of each module's gradients together."""
    parts: dict[str, list[float]] = {}
    for name, norm in found.items():
        parts.setdefault(module_of(name), []).append(norm)
    return {name: float(_together(np.array(norms, np.float32)[:, None])[0]) for name, norms in parts.items()}


def _together(values: Floats) -> Floats:
    """Over the rows; NaN where none has a norm. By the largest, so that squares neither overflow nor vanish."""
    is_known = ~np.isnan(values)
    known = np.where(is_known, values, 0)
    largest = known.max(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = np.where(largest > 0, known / largest, 0)
        norms = largest * np.sqrt(np.square(parts).sum(axis=0))
    norms = np.where(np.isinf(largest), np.inf, norms)
    return np.where(is_known.any(axis=0), norms, np.nan).astype(np.float32)
