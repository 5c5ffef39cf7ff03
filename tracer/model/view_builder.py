"""From a graph (a step's, or the union of many) to what is drawn of it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

import networkx as nx

from tracer.model.call_flow import flow_links
from tracer.model.call_keys import unmarked
from tracer.model.call_tree import LIVE, Call, call_tree
from tracer.model.labels import (
    call_subtitle,
    call_title,
    frame_title,
    graphless_subtitle,
    node_labels,
    shape_text,
    state_text,
    with_op_count,
)
from tracer.model.opening import default_open
from tracer.model.view import NO_GRAD, OPAQUE, Box, Group, Link, View
from tracer.model.visibility import ViewOptions, Visibility, call_of, visibility

__all__ = ["ViewOptions", "box_of", "build_view", "default_open", "with_labels_of"]


def build_view(graph: nx.MultiDiGraph, options: ViewOptions) -> View:
    """The boxes, frames and links to draw.

    A parameter stands once in every call that uses it: under its own name in the first, as `name@call key` in the
    others. Hidden bookkeeping ops have no box; links pass through them. An open call never becomes an empty frame:
    where nothing else is in it, its bookkeeping ops stay. Calls that made no nodes are boxes as well,
    linked by what is known to have flowed between them.
    """
    seen = visibility(graph, options)
    repeated = _repeated(seen.calls)
    boxes, groups = _boxes(seen, repeated), _groups(seen, repeated)
    flow = flow_links(seen.calls, {box.key for box in boxes}, {group.key for group in groups})
    links = _Linking(seen).links()
    linked = {(link.source, link.target) for link in links}
    return View(boxes, groups, (*links, *(Link(*ends, 1) for ends in flow if ends not in linked)))


def _repeated(calls: Mapping[str, Call]) -> set[str]:
    """Keys of the calls that share their module with another; passes without grad are counted apart, as keys are."""
    modules = {key: (call.path, unmarked(key)[1]) for key, call in calls.items()}
    counts = Counter(modules.values())
    return {key for key, module in modules.items() if counts[module] > 1}


def box_of(view: View) -> dict[str, str]:
    """The box that stands for each drawn node; the first one for a parameter drawn several times."""
    owner: dict[str, str] = {}
    for box in view.boxes:
        for member in box.members:
            owner.setdefault(member, box.key)
    return owner


def with_labels_of(view: View, graph: nx.MultiDiGraph, calls: Mapping[str, Call] | None = None) -> View:
    """The same view with the shapes, numbers of ops and traits of one step's graph; what is not in it keeps its.

    `calls` is the graph's call tree, where the caller has it already.
    """
    # A set answers five times faster than networkx's own `in`.
    nodes = set(graph)
    calls = call_tree(graph) if calls is None else calls
    boxes = []
    for box in view.boxes:
        subtitle, trait, has_inside = _as_in_step(box, graph, nodes, calls)
        is_same = (subtitle, trait, has_inside) == (box.subtitle, box.trait, box.has_inside)
        boxes.append(box if is_same else replace(box, subtitle=subtitle, trait=trait, has_inside=has_inside))
    return replace(view, boxes=tuple(boxes), groups=tuple(_group_in_step(group, calls) for group in view.groups))


def _as_in_step(box: Box, graph: nx.MultiDiGraph, nodes: set[str], calls: Mapping[str, Call]) -> tuple[str, str, bool]:
    """Subtitle, trait, and whether it has an inside."""
    if box.kind == "module":
        ops = len(nodes.intersection(box.anchors))
        if ops:
            return with_op_count(box.subtitle, ops), "", True
        call = calls.get(box.key)
        if call is not None and call.state != LIVE:
            # A box that is as wide as "Linear · 2 ops" needs has no room for more than the one or the other.
            is_narrow = bool(box.members)
            subtitle = (state_text(call, calls) or call.class_name) if is_narrow else graphless_subtitle(call, calls)
            return subtitle, call.state, box.has_inside
    elif box.members[0] in nodes:
        node = graph.nodes[box.members[0]]
        return shape_text(node["shapes"]), *_opacity(node)
    return box.subtitle, box.trait, box.has_inside


def _group_in_step(group: Group, calls: Mapping[str, Call]) -> Group:
    call = calls.get(group.key)
    if call is None or (call.state == LIVE and not group.trait):
        return group
    trait = "" if call.state == LIVE else call.state
    is_repeated = group.title.partition(" · ")[0].endswith(f"#{call.number}")
    return replace(group, title=frame_title(call, calls, is_repeated), trait=trait)


def _opacity(node: Mapping[str, Any]) -> tuple[str, bool]:
    """Trait of a node, and whether what is inside it is known, where it hides something."""
    return (OPAQUE, node.get("inside") is not None) if node.get("opaque") else ("", True)


@dataclass(slots=True)
class _Drafts:
    """Boxes while their members are gathered, in the order they were met; None stands for a closed call."""

    boxes: dict[str, Box | None] = field(default_factory=dict)
    members: dict[str, dict[str, None]] = field(default_factory=dict)
    ops: dict[str, list[str]] = field(default_factory=dict)

    def add_member(self, call: str, node: str) -> None:
        self.boxes.setdefault(call, None)
        self.members.setdefault(call, {})[node] = None


def _boxes(seen: Visibility, repeated: set[str]) -> tuple[Box, ...]:
    """In the order in which their first nodes stand in the graph."""
    drafts = _Drafts()
    for key, node in seen.graph.nodes.items():
        if node["kind"] == "parameter":
            _draft_parameter(seen, key, drafts)
            continue
        place = seen.place_of(key)
        if place.box is not None:
            drafts.add_member(place.box, key)
            drafts.ops.setdefault(place.box, []).append(key)
        elif key not in seen.hidden:
            labels, (trait, has_inside) = node_labels(key, node), _opacity(node)
            drafts.boxes[key] = Box(key, node["kind"], *labels, place.frame, (key,), trait=trait, has_inside=has_inside)
    callers = {call.parent for call in seen.calls.values()}
    made = tuple(
        box or _module_box(seen, seen.calls[key], drafts, key in repeated) for key, box in drafts.boxes.items()
    )
    graphless = [
        _graphless_box(seen, call, key in repeated, key in callers)
        for key, call in seen.calls.items()
        if call.state != LIVE and seen.places[key].box == key
    ]
    # A layout puts what is connected with nothing side by side in this order: what ran before the graph on its left.
    earlier = {key for key, call in seen.calls.items() if call.state == NO_GRAD}
    earlier.update(takewhile(lambda key: seen.calls[key].state != LIVE, seen.calls))
    left = [box for box in graphless if box.group is None and box.key in earlier]
    return (*left, *made, *(box for box in graphless if box not in left))


def _graphless_box(seen: Visibility, call: Call, is_repeated: bool, has_inside: bool) -> Box:
    labels = call_title(call, is_repeated), graphless_subtitle(call, seen.calls)
    return Box(call.key, "module", *labels, seen.places[call.key].frame, (), trait=call.state, has_inside=has_inside)


def _draft_parameter(seen: Visibility, key: str, drafts: _Drafts) -> None:
    """A box in every open call that uses the parameter, membership in every closed one."""
    users: dict[str | None, list[str]] = {}
    for op in seen.graph.successors(key):
        users.setdefault(call_of(seen.graph, op, seen.calls), []).append(op)
    for call, box_key in seen.uses[key].items():
        place = seen.places[call]
        if place.box is not None:
            drafts.add_member(place.box, key)
        elif seen.options.show_parameters:
            labels = node_labels(key, seen.graph.nodes[key], "" if call is None else seen.calls[call].path)
            drafts.boxes[box_key] = Box(box_key, "parameter", *labels, place.frame, (key,), tuple(users.get(call, ())))


def _module_box(seen: Visibility, call: Call, drafts: _Drafts, is_repeated: bool) -> Box:
    ops = tuple(drafts.ops.get(call.key, ()))
    title, subtitle = call_title(call, is_repeated), call_subtitle(call.class_name, len(ops))
    return Box(call.key, "module", title, subtitle, seen.places[call.key].frame, tuple(drafts.members[call.key]), ops)


def _groups(seen: Visibility, repeated: set[str]) -> tuple[Group, ...]:
    return tuple(
        Group(
            key, frame_title(call, seen.calls, key in repeated), call.parent, "" if call.state == LIVE else call.state
        )
        for key, call in seen.calls.items()
        if seen.places[key].box is None
    )


class _Linking:
    """Finds the boxes at both ends of every edge."""

    def __init__(self, seen: Visibility) -> None:
        self.seen = seen
        self.through: dict[str, tuple[str, ...]] = {}  # the boxes that flow into a hidden op

    def links(self) -> tuple[Link, ...]:
        """Edges between boxes, gathered by their ends, in the order of the graph's edges."""
        counts: Counter[tuple[str, str]] = Counter()
        for source, target in self.seen.graph.edges():
            if target not in self.seen.hidden and target not in self.seen.uses:
                end = self.seen.place_of(target).box or target
                for start in self._sources(source, target):
                    if start != end:
                        counts[start, end] += 1
        return tuple(Link(source, target, count) for (source, target), count in counts.items())

    def _sources(self, source: str, target: str) -> tuple[str, ...]:
        """The boxes an edge comes from: one, or for a hidden op all that flows into it."""
        if source not in self.seen.hidden:
            box = self._box_of_source(source, target)
            return () if box is None else (box,)
        if source not in self.through:
            self.through[source] = tuple(dict.fromkeys(self._sources_through(source)))
        return self.through[source]

    def _sources_through(self, hidden: str) -> Iterator[str]:
        """Walks up hidden ops until boxes are met; never runs in circles, a union may have some."""
        met = {hidden}
        waiting = [hidden]
        while waiting:
            op = waiting.pop()
            for above in self.seen.graph.predecessors(op):
                if above not in self.seen.hidden:
                    box = self._box_of_source(above, op)
                    if box is not None:
                        yield box
                elif above in self.through:
                    yield from self.through[above]
                elif above not in met:
                    met.add(above)
                    waiting.append(above)

    def _box_of_source(self, source: str, target: str) -> str | None:
        """The box of a node that is not hidden; for a parameter, the one in the call of the op that uses it."""
        uses = self.seen.uses.get(source)
        if uses is None:
            return self.seen.place_of(source).box or source
        call = call_of(self.seen.graph, target, self.seen.calls)
        box = self.seen.places[call].box
        if box is None and self.seen.options.show_parameters:
            return uses[call]
        return box
