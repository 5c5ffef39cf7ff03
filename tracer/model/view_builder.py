"""From a graph (a step's, or the union of many) to what is drawn of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import networkx as nx

from tracer.model.call_tree import Call
from tracer.model.labels import call_subtitle, call_title, frame_title, node_labels, shape_text, with_op_count
from tracer.model.opening import default_open
from tracer.model.view import Box, Group, Link, View
from tracer.model.visibility import ViewOptions, Visibility, call_of, visibility

__all__ = ["ViewOptions", "box_of", "build_view", "default_open", "with_labels_of"]


def build_view(graph: nx.MultiDiGraph, options: ViewOptions) -> View:
    """The boxes, frames and links to draw.

    A parameter stands once in every call that uses it: under its own name in the first, as `name@call key` in the
    others. Hidden bookkeeping ops have no box; links pass through them. An open call never becomes an empty frame:
    where nothing else is in it, its bookkeeping ops stay.
    """
    seen = visibility(graph, options)
    repeated = {path for path, count in Counter(call.path for call in seen.calls.values()).items() if count > 1}
    return View(_boxes(seen, repeated), _groups(seen, repeated), _Linking(seen).links())


def box_of(view: View) -> dict[str, str]:
    """The box that stands for each drawn node; the first one for a parameter drawn several times."""
    owner: dict[str, str] = {}
    for box in view.boxes:
        for member in box.members:
            owner.setdefault(member, box.key)
    return owner


def with_labels_of(view: View, graph: nx.MultiDiGraph) -> View:
    """The same view with the shapes and numbers of ops of one step's graph; what is not in it keeps its text."""
    # A set answers five times faster than networkx's own `in`.
    nodes = set(graph)
    boxes = []
    for box in view.boxes:
        subtitle = _subtitle_in(box, graph, nodes)
        boxes.append(box if subtitle == box.subtitle else replace(box, subtitle=subtitle))
    return replace(view, boxes=tuple(boxes))


def _subtitle_in(box: Box, graph: nx.MultiDiGraph, nodes: set[str]) -> str:
    if box.kind == "module":
        ops = len(nodes.intersection(box.anchors))
        return with_op_count(box.subtitle, ops) if ops else box.subtitle
    node = box.members[0]
    return shape_text(graph.nodes[node]["shapes"]) if node in nodes else box.subtitle


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
            drafts.boxes[key] = Box(key, node["kind"], *node_labels(key, node), place.frame, (key,))
    return tuple(
        box or _module_box(seen, seen.calls[key], drafts, seen.calls[key].path in repeated)
        for key, box in drafts.boxes.items()
    )


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
            labels = node_labels(key, seen.graph.nodes[key])
            drafts.boxes[box_key] = Box(box_key, "parameter", *labels, place.frame, (key,), tuple(users.get(call, ())))


def _module_box(seen: Visibility, call: Call, drafts: _Drafts, is_repeated: bool) -> Box:
    ops = tuple(drafts.ops.get(call.key, ()))
    title, subtitle = call_title(call, is_repeated), call_subtitle(call.class_name, len(ops))
    return Box(call.key, "module", title, subtitle, seen.places[call.key].frame, tuple(drafts.members[call.key]), ops)


def _groups(seen: Visibility, repeated: set[str]) -> tuple[Group, ...]:
    return tuple(
        Group(key, frame_title(call, call.path in repeated), call.parent)
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
