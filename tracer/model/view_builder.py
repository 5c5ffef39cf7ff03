"""From a graph (a step's, or the union of many) to what is drawn of it."""

from itertools import takewhile

import networkx as nx
import numpy as np

from tracer.model.call_flow import flow_links
from tracer.model.call_tree import LIVE, NO_GRAD
from tracer.model.content import Ints
from tracer.model.linking import linked_boxes
from tracer.model.opening import default_open
from tracer.model.step_labels import with_labels_of
from tracer.model.view import Box, Group, Link, View
from tracer.model.view_parts import ViewParts, view_parts
from tracer.model.visibility import ViewOptions, Visibility, visibility

__all__ = ["ViewOptions", "box_of", "build_view", "default_open", "with_labels_of"]


def build_view(graph: nx.MultiDiGraph, options: ViewOptions) -> View:
    """The boxes, frames and links to draw; the graph is not changed afterwards.

    A parameter stands once in every call that uses it: under its own name in the first, as `name@call key` in the
    others. Hidden bookkeeping ops have no box; links pass through them. An open call never becomes an empty frame:
    where nothing else is in it, its bookkeeping ops stay. Calls that made no nodes are boxes as well,
    linked by what is known to have flowed between them. Of what repeats only the first copy is drawn.
    """
    parts = view_parts(graph, options)
    seen = visibility(parts.content, parts.spots, options)
    # The number of each spot's box: its own, or after all spots' that of the closed call.
    closed_by = seen.closed_by[parts.spots.owners]
    numbers = np.where(closed_by >= 0, closed_by + len(parts.spots.keys), -1)
    numbers[seen.is_drawn] = np.flatnonzero(seen.is_drawn)
    boxes, groups = _boxes(parts, seen, closed_by, numbers), _groups(parts, seen)
    links = _links(parts, seen, numbers)
    calls = {call.key: call for call, is_shown in zip(parts.content.calls, seen.is_shown, strict=True) if is_shown}
    flow = flow_links(calls, {box.key for box in boxes}, {group.key for group in groups})
    if flow:
        linked = {(link.source, link.target) for link in links}
        links = (*links, *(Link(*ends, 1) for ends in flow if ends not in linked))
    drawn = {box.fold for box in boxes} | {group.fold for group in groups}
    folds = tuple(fold for fold in parts.content.folds.values() if fold.key in drawn)
    return View(boxes, groups, links, folds, parts.content.stand_ins, parts.content.apart)


def _boxes(parts: ViewParts, seen: Visibility, closed_by: Ints, numbers: Ints) -> tuple[Box, ...]:
    """In the order in which their first nodes stand in the graph."""
    parts.add_call_boxes(closed_by)
    count = len(parts.spots.keys)
    firsts, places = np.unique(numbers, return_index=True)
    made = [
        parts.spot_box(number) if number < count else parts.call_box(number - count)
        for number in firsts[np.argsort(places)].tolist()
        if number >= 0
    ]
    calls = parts.content.calls
    graphless = [number for number, call in enumerate(calls) if call.state != LIVE and seen.closed_by[number] == number]
    # A layout puts what is connected with nothing side by side in this order: what ran before the graph on its left.
    shown = np.flatnonzero(seen.is_shown).tolist()
    before = set(takewhile(lambda number: calls[number].state != LIVE, shown))
    left = {n for n in graphless if calls[n].parent is None and (n in before or calls[n].state == NO_GRAD)}
    boxes = {number: parts.graphless_box(number, bool(seen.has_inside[number])) for number in graphless}
    return (
        *(box for number, box in boxes.items() if number in left),
        *made,
        *(box for number, box in boxes.items() if number not in left),
    )


def _groups(parts: ViewParts, seen: Visibility) -> tuple[Group, ...]:
    is_open = seen.is_shown & (seen.closed_by[:-1] < 0)
    return tuple(parts.frame(number) for number in np.flatnonzero(is_open).tolist())


def _links(parts: ViewParts, seen: Visibility, numbers: Ints) -> tuple[Link, ...]:
    """Edges between boxes, gathered by their ends, in the order of the graph's edges."""
    spots, calls = parts.spots, parts.content.calls
    count, size = len(spots.keys), len(spots.keys) + len(calls)

    def key(number: int) -> str:
        return spots.keys[number] if number < count else calls[number - count].key

    sources, targets, counts = linked_boxes(spots, seen.is_hidden, numbers)
    ends = zip(sources.tolist(), targets.tolist(), counts.tolist(), strict=True)
    return tuple(parts.link(start * size + end, key(start), key(end), number) for start, end, number in ends)


def box_of(view: View) -> dict[str, str]:
    """The box that stands for each drawn node; the first one for a parameter drawn several times."""
    owner: dict[str, str] = {}
    for box in view.boxes:
        for member in box.members:
            owner.setdefault(member, box.key)
    return owner
