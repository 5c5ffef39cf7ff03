"""A view reduced to what lies within some hops of what one looks at."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import networkx as nx

from tracer.model.stand_ins import StandIns
from tracer.model.view import Box, Group, Link, View

UPSTREAM, DOWNSTREAM, BOTH = "upstream", "downstream", "both"
DIRECTIONS = (BOTH, UPSTREAM, DOWNSTREAM)
FEWEST_HOPS, MOST_HOPS = 1, 99


@dataclass(frozen=True, slots=True)
class Focus:
    """What is looked at: a node or module call by its key, and how far around it, along links of the view."""

    key: str
    hops: int = 2
    direction: str = BOTH

    def with_hops(self, hops: int) -> "Focus":
        """As many as make sense."""
        return replace(self, hops=min(max(hops, FEWEST_HOPS), MOST_HOPS))


def focused_on(view: View, graph: nx.MultiDiGraph, focus: Focus | None) -> View:
    """The view of a graph reduced to a focus: to what stands for it, where it is not drawn itself."""
    return view if focus is None else focused(view, StandIns(view, graph).of(focus.key), focus.hops, focus.direction)


def focused(view: View, keys: Iterable[str], hops: int, direction: str = BOTH) -> View:
    """The boxes within so many links of those with these keys, with the links among them and the frames around them.

    A key may be that of a frame: then it is all that is in it. The whole view where none of the keys is in it.
    """
    starts = _boxes_at(view, frozenset(keys))
    if not starts:
        return view
    kept = set(starts)
    if direction in (UPSTREAM, BOTH):
        kept |= _within(starts, hops, _neighbors(view.links, to_source=True))
    if direction in (DOWNSTREAM, BOTH):
        kept |= _within(starts, hops, _neighbors(view.links, to_source=False))
    return _reduced(view, kept)


def _boxes_at(view: View, keys: frozenset[str]) -> set[str]:
    chosen = set(keys)
    for group in view.groups:  # parents first
        if group.parent in chosen:
            chosen.add(group.key)
    return {box.key for box in view.boxes if box.key in chosen or box.group in chosen}


def _neighbors(links: Iterable[Link], to_source: bool) -> dict[str, list[str]]:
    neighbors: dict[str, list[str]] = {}
    for link in links:
        start, end = (link.target, link.source) if to_source else (link.source, link.target)
        neighbors.setdefault(start, []).append(end)
    return neighbors


def _within(starts: Iterable[str], hops: int, neighbors: dict[str, list[str]]) -> set[str]:
    """What at most so many hops lead to, one ring at a time."""
    found = set(starts)
    ring = set(found)
    for _ in range(hops):
        ring = {end for start in ring for end in neighbors.get(start, ())} - found
        if not ring:
            break
        found |= ring
    return found


def _reduced(view: View, kept: set[str]) -> View:
    boxes = tuple(box for box in view.boxes if box.key in kept)
    groups = _frames_around(view, boxes)
    links = tuple(link for link in view.links if link.source in kept and link.target in kept)
    used = {box.fold for box in boxes} | {group.fold for group in groups}
    folds = tuple(fold for fold in view.folds if fold.key in used)
    return View(boxes, groups, links, folds, view.stand_ins, view.apart)


def _frames_around(view: View, boxes: Iterable[Box]) -> tuple[Group, ...]:
    needed = {box.group for box in boxes}
    for group in reversed(view.groups):
        if group.key in needed:
            needed.add(group.parent)
    return tuple(group for group in view.groups if group.key in needed)
