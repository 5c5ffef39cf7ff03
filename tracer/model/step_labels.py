"""A view as one step has it: shapes, numbers of ops and of copies, traits."""

import re
from collections.abc import Mapping, Set
from dataclasses import replace

import networkx as nx

from tracer.model.call_tree import LIVE, Call, call_tree
from tracer.model.labels import frame_title, graphless_subtitle, shape_text, state_text, title_of_paths, with_op_count
from tracer.model.view import Box, Group, View
from tracer.model.view_parts import opacity

_DIGITS = re.compile(r"(\d+)")
_COPIES = re.compile(r" ×[\d,]+(?= · |$)")


def with_labels_of(
    view: View, graph: nx.MultiDiGraph, calls: Mapping[str, Call] | None = None, before: Set[str] | None = None
) -> View:
    """The same view with the shapes, numbers of ops and copies and traits of one step's graph; what is not in it keeps
    its.

    `calls` is the graph's call tree, where the caller has it already; `before` are the nodes of the step it is compared
    with: a fold of more or fewer copies then says so.
    """
    # A set answers five times faster than networkx's own `in`.
    nodes = set(graph)
    calls = call_tree(graph) if calls is None else calls
    copies = copies_in(view, nodes)
    counts = _count_texts(copies, {} if before is None else copies_in(view, before))
    copies_around = _copies_around(view, copies)
    names = _names_in_step(view, calls)
    boxes = []
    for box in view.boxes:
        title = _counted(box.title, counts.get(box.fold), names.get(box.key))
        box_copies = copies_around[box.group] * (copies.get(box.fold) or 1)
        subtitle, trait, has_inside = _as_in_step(box, graph, nodes, calls, box_copies)
        is_same = (title, subtitle, trait, has_inside) == (box.title, box.subtitle, box.trait, box.has_inside)
        own = box if is_same else replace(box, title=title, subtitle=subtitle, trait=trait, has_inside=has_inside)
        boxes.append(own)
    groups = tuple(_group_in_step(group, calls, counts.get(group.fold), names.get(group.key)) for group in view.groups)
    return replace(view, boxes=tuple(boxes), groups=groups)


def copies_in(view: View, nodes: Set[str]) -> dict[str, int]:
    """How many copies of each fold a step with these nodes has, by the fold's key."""
    return {fold.key: sum(anchor in nodes for anchor in fold.anchors) for fold in view.folds}


def _copies_around(view: View, copies: Mapping[str, int]) -> dict[str | None, int]:
    """How many copies of what lies in each frame there are, as the frame or one around it may be a fold."""
    around: dict[str | None, int] = {None: 1}
    for group in view.groups:
        around[group.key] = around[group.parent] * (copies.get(group.fold) or 1)
    return around


def _count_texts(copies: Mapping[str, int], before: Mapping[str, int]) -> dict[str, str]:
    """What a title says of a fold's copies; nothing of a fold that neither step has."""
    texts = {}
    for key, count in copies.items():
        earlier = before.get(key, count)
        if earlier != count:
            texts[key] = f" ×{earlier:,} → ×{count:,}"
        elif count:
            texts[key] = f" ×{count:,}"
    return texts


def _names_in_step(view: View, calls: Mapping[str, Call]) -> dict[str, str]:
    """What the copies are called of which the step has calls, by the key of the first: which of the experts ran."""
    firsts = [box.key for box in view.boxes if box.fold] + [group.key for group in view.groups if group.fold]
    paths = {key: [calls[key].path] for key in firsts if key in calls}
    for key, first in view.stand_ins.items():
        if key in calls:
            paths.setdefault(first, []).append(calls[key].path)
    return {key: title for key, each in paths.items() if (title := title_of_paths(sorted(each, key=_by_number)))}


def _by_number(path: str) -> list[tuple[int, str]]:
    """Sorts `layers.10` after `layers.9`."""
    return [(int(word) if word.isdecimal() else -1, word) for word in _DIGITS.split(path)]


def _counted(title: str, copies: str | None, name: str | None) -> str:
    """The title of a fold with the number of its copies, and their name where it is known."""
    found = None if copies is None else _COPIES.search(title)
    if copies is None or found is None:
        return title
    return f"{name or title[: found.start()]}{copies}{title[found.end() :]}"


def _as_in_step(
    box: Box, graph: nx.MultiDiGraph, nodes: set[str], calls: Mapping[str, Call], copies: int
) -> tuple[str, str, bool]:
    """Subtitle, trait, and whether it has an inside."""
    if box.kind == "module":
        ops = len(nodes.intersection(box.anchors))
        if ops:
            return with_op_count(box.subtitle, max(round(ops / copies), 1)), "", True
        call = calls.get(box.key)
        if call is not None and call.state != LIVE:
            # A box that is as wide as "Linear · 2 ops" needs has no room for more than the one or the other.
            is_narrow = bool(box.members)
            subtitle = (state_text(call, calls) or call.class_name) if is_narrow else graphless_subtitle(call, calls)
            return subtitle, call.state, box.has_inside
        return box.subtitle, box.trait, box.has_inside
    member = next((member for member in box.members if member in nodes), None)
    if member is None:
        return box.subtitle, box.trait, box.has_inside
    node = graph.nodes[member]
    return shape_text(node["shapes"]), *opacity(node)


def _group_in_step(group: Group, calls: Mapping[str, Call], copies: str | None, name: str | None) -> Group:
    call = calls.get(group.key)
    if group.fold:
        title = _counted(group.title, copies, name)
        return group if title == group.title else replace(group, title=title)
    if call is None or (call.state == LIVE and not group.trait):
        return group
    trait = "" if call.state == LIVE else call.state
    is_repeated = group.title.partition(" · ")[0].endswith(f"#{call.number}")
    return replace(group, title=frame_title(call, calls, is_repeated), trait=trait)
