"""What of a graph is visible: which calls are open, which spots are drawn, which ops are hidden."""

from dataclasses import dataclass

import numpy as np

from tracer.model.call_tree import LIVE, NO_GRAD
from tracer.model.content import Bools, Content, Ints, Spots


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What to show. `open_groups` are the keys of the module calls whose content is drawn, `unfolded` those of the
    folds whose copies are drawn one by one."""

    open_groups: frozenset[str] = frozenset()
    show_parameters: bool = True
    show_bookkeeping: bool = False
    show_forward_only: bool = True
    folds_repeats: bool = True
    unfolded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Visibility:
    """What the options make of a graph, by the numbers of its content.

    `closed_by` (c + 1,) is the closed call that each call is drawn as or within, -1 for an open one, and last the same
    of the top; `is_shown` (c,) are the calls that are not left out, `has_inside` (c,) those with others in them.
    `is_drawn` (m,) are the spots with a box of their own, `is_hidden` (m,) ops that links pass through.
    """

    closed_by: Ints
    is_shown: Bools
    has_inside: Bools
    is_drawn: Bools
    is_hidden: Bools


def visibility(content: Content, spots: Spots, options: ViewOptions) -> Visibility:
    is_shown = shown_calls(content, options)
    has_inside = np.zeros(len(content.calls) + 1, dtype=np.bool_)
    has_inside[content.callers[is_shown]] = True
    closed_by = _closed_by(content, is_shown, has_inside, options.open_groups)
    is_free = closed_by[spots.owners] < 0
    is_hidden = is_free & hidden_spots(content, spots, options)
    is_drawn = is_free & ~is_hidden
    if not options.show_parameters:
        is_drawn &= ~spots.is_parameter
    return Visibility(closed_by, is_shown, has_inside[:-1], is_drawn, is_hidden)


def shown_calls(content: Content, options: ViewOptions) -> Bools:
    """All calls, or those with grad; where there is nothing but forward-only calls they are shown in any case."""
    is_shown = np.ones(len(content.calls) + 1, dtype=np.bool_)
    if not options.show_forward_only and content.keys:
        callers = content.callers.tolist()
        for number, call in enumerate(content.calls):
            is_shown[number] = call.state != NO_GRAD and is_shown[callers[number]]
    return is_shown[:-1]


def hidden_spots(content: Content, spots: Spots, options: ViewOptions) -> Bools:
    """Bookkeeping ops in calls with something else in them: none is drawn where those are open."""
    if options.show_bookkeeping:
        return np.zeros(len(spots.keys), dtype=np.bool_)
    is_filled = np.zeros(len(content.calls) + 1, dtype=np.bool_)
    is_filled[-1] = True
    is_filled[content.callers[shown_calls(content, options)]] = True
    fills = ~spots.is_bookkeeping
    if not options.show_parameters:
        fills &= ~spots.is_parameter
    is_filled[spots.owners[fills]] = True
    return spots.is_bookkeeping & is_filled[spots.owners]


def _closed_by(content: Content, is_shown: Bools, has_inside: Bools, open_groups: frozenset[str]) -> Ints:
    closed = [-1] * (len(content.calls) + 1)
    callers, shown, inside = content.callers.tolist(), is_shown.tolist(), has_inside.tolist()
    for number, call in enumerate(content.calls):
        above = closed[callers[number]]
        if above >= 0:
            closed[number] = above
        elif shown[number] and not (call.key in open_groups and (call.state == LIVE or inside[number])):
            closed[number] = number
    return np.array(closed, dtype=np.int64)
