"""Steps in a row as (first, last), and in words."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Runs = list[tuple[int, int]]

_MOST_NAMED = 6


def runs_of(steps: ArrayLike) -> Runs:
    """Of steps in any order."""
    found = np.unique(np.asarray(steps, np.int64))
    if not len(found):
        return []
    ends = np.flatnonzero(np.diff(found) > 1)
    firsts, lasts = found[np.append(0, ends + 1)], found[np.append(ends, len(found) - 1)]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def within(steps: NDArray[np.int64], runs: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which of the steps lie in one of the runs."""
    ends = np.array(merged(runs), np.int64).reshape(-1, 2)
    if not len(ends):
        return np.zeros(len(steps), np.bool_)
    at = np.searchsorted(ends[:, 0], steps, "right") - 1
    return np.asarray((at >= 0) & (steps <= ends[at, 1]), np.bool_)


def merged(runs: Iterable[tuple[int, int]]) -> Runs:
    """In order, none touching another."""
    found: Runs = []
    for first, last in sorted(runs):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        elif first <= last:
            found.append((first, last))
    return found


def without(runs: Iterable[tuple[int, int]], others: Iterable[tuple[int, int]]) -> Runs:
    """What of the runs lies in none of the others."""
    found: Runs = []
    for first, last in merged(runs):
        for start, end in merged(others):
            if start <= last and end >= first:
                found += [(first, start - 1)] if start > first else []
                first = end + 1
        found += [(first, last)] if first <= last else []
    return found


def n_steps(runs: Iterable[tuple[int, int]]) -> int:
    return sum(last - first + 1 for first, last in runs)


def in_words(runs: Runs) -> str:
    """ "step 7", "steps 3 to 5, 9 and 70 to 80", "6,000 steps between 3 and 90,000"."""
    if len(runs) > _MOST_NAMED:
        return f"{n_steps(runs):,} steps between {runs[0][0]:,} and {runs[-1][1]:,}"
    parts = [f"{first:,}" if first == last else f"{first:,} to {last:,}" for first, last in runs]
    is_one = len(runs) == 1 and runs[0][0] == runs[0][1]
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"{'step' if is_one else 'steps'} {listed}"
