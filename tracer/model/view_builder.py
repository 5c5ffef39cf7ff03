"""From a graph (a step's, or the union of many) to what is drawn of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from tracer.model.bookkeeping import BOOKKEEPING_OPS
from tracer.model.call_tree import Call, call_depths, call_tree
from tracer.model.labels import call_subtitle, call_title, frame_title, node_labels
from tracer.model.view import Box, Group, Link, View

# Boxes in a first drawing: as many as please, few enough to be poor, more than a screen should start with.
GOOD_BOXES, FEW_BOXES, MOST_BOXES = 60, 8, 150


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What to show. `open_groups` are the keys of the module calls whose content is drawn."""

    open_groups: frozenset[str] = frozenset()
    show_parameters: bool = True
    show_bookkeeping: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where the nodes of a call are drawn: inside the closed box `box`, or freely in the frame `frame` (None: the top)."""

    frame: str | None
    box: str | None


@dataclass(slots=True)
class _Scene:
    """The drawing while it is put together. `uses` are a parameter's box keys by the call that uses it."""

    graph: nx.MultiDiGraph
    options: ViewOptions
    calls: dict[str, Call]
    places: dict[str | None, Place]
    box_of_node: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    uses: dict[str, dict[str | None, str]] = field(default_factory=dict)
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)


def build_view(graph: nx.MultiDiGraph, options: ViewOptions) -> View:
    """The boxes, frames and links to draw.

    A parameter stands once in every call that uses it: under its own name in the first, as `name@call key` in the
    others. Hidden bookkeeping ops have no box; links pass through them. An open call never becomes an empty frame:
    where nothing else is in it, its bookkeeping ops stay.
    """
    calls = call_tree(graph)
    scene = _Scene(graph, options, calls, _places(calls, options.open_groups))
    scene.uses = _parameter_uses(graph, calls)
    scene.hidden = _hidden_ops(scene)
    boxes = _boxes(scene)
    groups = _groups(scene)
    return View(boxes, groups, _links(scene))


def box_of(view: View) -> dict[str, str]:
    """The box that stands for each drawn node; the first one for a parameter drawn several times."""
    owner: dict[str, str] = {}
    for box in view.boxes:
        for member in box.members:
            owner.setdefault(member, box.key)
    return owner


def default_open(
    graph: nx.MultiDiGraph, *, show_parameters: bool = True, show_bookkeeping: bool = False
) -> frozenset[str]:
    """The calls to open at first: down to the deepest level that still draws about 60 boxes.

    A single call at the top is always opened, one with a single box in it never (it would show the same in a frame).
    """
    calls = call_tree(graph)
    depths = call_depths(calls)
    options = ViewOptions(frozenset(calls), show_parameters, show_bookkeeping)
    content = _visible_content(graph, options, calls)
    level = _opening_level(calls, depths, content)
    parents = Counter(call.parent for call in calls.values())
    return frozenset(
        key for key, depth in depths.items() if depth < level and (parents[key] + content[key] > 1 or depth == 0)
    )


def _opening_level(calls: dict[str, Call], depths: dict[str, int], content: "Counter[str | None]") -> int:
    """How many levels of calls to open."""
    calls_at = Counter(depths.values())
    content_at: Counter[int] = Counter()
    for key, count in content.items():
        content_at[-1 if key is None else depths[key]] += count
    deepest = max(calls_at, default=-1) + 1
    free = [0] * (deepest + 1)  # boxes outside closed calls, by how many levels are open
    for level in range(deepest + 1):
        free[level] = (free[level - 1] if level else 0) + content_at[level - 1]
    boxes = [free[level] + calls_at[level] for level in range(deepest + 1)]
    chosen = 1 if calls_at[0] == 1 else 0
    while chosen < deepest and (
        boxes[chosen + 1] <= GOOD_BOXES or (boxes[chosen] < FEW_BOXES and boxes[chosen + 1] <= MOST_BOXES)
    ):
        chosen += 1
    return chosen


def _visible_content(graph: nx.MultiDiGraph, options: ViewOptions, calls: dict[str, Call]) -> "Counter[str | None]":
    """How many boxes lie directly in each call (None: the top) when everything is open."""
    scene = _Scene(graph, options, calls, _places(calls, options.open_groups))
    scene.uses = _parameter_uses(graph, calls)
    scene.hidden = _hidden_ops(scene)
    content: Counter[str | None] = Counter()
    for key, node in graph.nodes.items():
        if node["kind"] == "parameter":
            content.update(scene.uses[key] if options.show_parameters else ())
        elif key not in scene.hidden:
            content[_call_of(node, calls)] += 1
    return content


def _call_of(node: dict[str, Any], calls: dict[str, Call]) -> str | None:
    key: str | None = node.get("call_key")
    return key if key in calls else None


def _places(calls: dict[str, Call], open_groups: frozenset[str]) -> dict[str | None, Place]:
    places: dict[str | None, Place] = {None: Place(None, None)}
    for key, call in calls.items():
        above = places[call.parent]
        if above.box is not None:
            places[key] = above
        elif key in open_groups:
            places[key] = Place(key, None)
        else:
            places[key] = Place(above.frame, key)
    return places


def _parameter_uses(graph: nx.MultiDiGraph, calls: dict[str, Call]) -> dict[str, dict[str | None, str]]:
    """For each parameter, the calls that use it, earliest first, and the key of the box it would have in each."""
    position: dict[str | None, int] = {key: index for index, key in enumerate(calls)}
    position[None] = len(calls)
    uses: dict[str, dict[str | None, str]] = {}
    for key, kind in graph.nodes(data="kind"):
        if kind == "parameter":
            users = {_call_of(graph.nodes[user], calls) for user in graph.successors(key)} or {None}
            ordered = sorted(users, key=position.__getitem__)
            uses[key] = {call: f"{key}@{call or ''}" for call in ordered}
            uses[key][ordered[0]] = key
    return uses


def _hidden_ops(scene: _Scene) -> set[str]:
    """Bookkeeping ops that would be drawn in a frame with something else in it."""
    if scene.options.show_bookkeeping:
        return set()
    filled = {call.parent for call in scene.calls.values()} | {None}
    if scene.options.show_parameters:
        filled.update(call for uses in scene.uses.values() for call in uses)
    candidates: list[tuple[str, str | None]] = []
    for key, node in scene.graph.nodes.items():
        if node["kind"] == "parameter":
            continue
        call = _call_of(node, scene.calls)
        if node["kind"] == "op" and node["op"] in BOOKKEEPING_OPS:
            if scene.places[call].box is None:
                candidates.append((key, call))
        else:
            filled.add(call)
    return {key for key, call in candidates if call in filled}


def _boxes(scene: _Scene) -> tuple[Box, ...]:
    """In the order in which their first nodes stand in the graph. Also notes the box of every node that has one."""
    drafts: dict[str, Box | None] = {}  # None: a closed call
    members: dict[str, list[str]] = {}
    ops: Counter[str] = Counter()
    for key, node in scene.graph.nodes.items():
        if node["kind"] == "parameter":
            _draft_parameter(scene, key, node, drafts, members)
            continue
        place = scene.places[_call_of(node, scene.calls)]
        if place.box is not None:
            drafts.setdefault(place.box, None)
            members.setdefault(place.box, []).append(key)
            ops[place.box] += 1
            scene.box_of_node[key] = place.box
        elif key not in scene.hidden:
            drafts[key] = Box(key, node["kind"], *node_labels(key, node), place.frame, (key,))
            scene.box_of_node[key] = key
    repeated = _repeated_paths(scene.calls)
    return tuple(
        draft or _module_box(scene.calls[key], scene, tuple(members[key]), ops[key], repeated)
        for key, draft in drafts.items()
    )


def _draft_parameter(
    scene: _Scene, key: str, node: dict[str, Any], drafts: dict[str, Box | None], members: dict[str, list[str]]
) -> None:
    """A box in every open call that uses the parameter, membership in every closed one."""
    uses = scene.uses[key]
    for call, box_key in uses.items():
        place = scene.places[call]
        if place.box is not None:
            drafts.setdefault(place.box, None)
            inside = members.setdefault(place.box, [])
            if not inside or inside[-1] != key:
                inside.append(key)
            uses[call] = place.box
        elif scene.options.show_parameters:
            drafts[box_key] = Box(box_key, "parameter", *node_labels(key, node), place.frame, (key,))


def _module_box(call: Call, scene: _Scene, members: tuple[str, ...], ops: int, repeated: set[str]) -> Box:
    title = call_title(call, call.path in repeated)
    return Box(call.key, "module", title, call_subtitle(call, ops), scene.places[call.key].frame, members)


def _groups(scene: _Scene) -> tuple[Group, ...]:
    repeated = _repeated_paths(scene.calls)
    return tuple(
        Group(key, frame_title(call, call.path in repeated), call.parent)
        for key, call in scene.calls.items()
        if scene.places[key].frame == key and scene.places[key].box is None
    )


def _repeated_paths(calls: dict[str, Call]) -> set[str]:
    return {path for path, count in Counter(call.path for call in calls.values()).items() if count > 1}


def _links(scene: _Scene) -> tuple[Link, ...]:
    """Edges between boxes, gathered by their ends, in the order of the graph's edges."""
    counts: Counter[tuple[str, str]] = Counter()
    for source, target in scene.graph.edges():
        end = scene.box_of_node.get(target)
        if end is not None:
            for start in _box_sources(scene, source, target):
                if start != end:
                    counts[start, end] += 1
    return tuple(Link(source, target, count) for (source, target), count in counts.items())


def _box_sources(scene: _Scene, source: str, target: str) -> tuple[str, ...]:
    """The boxes an edge comes from: one, or for a hidden op all that flows into it."""
    if source not in scene.hidden:
        box = _source_box(scene, source, target)
        return () if box is None else (box,)
    if source not in scene.sources:
        scene.sources[source] = tuple(dict.fromkeys(_sources_through(scene, source)))
    return scene.sources[source]


def _sources_through(scene: _Scene, hidden: str) -> Iterator[str]:
    """Walks up hidden ops until boxes are met; never runs in circles, a union may have some."""
    seen = {hidden}
    waiting = [hidden]
    while waiting:
        op = waiting.pop()
        for above in scene.graph.predecessors(op):
            if above not in scene.hidden:
                box = _source_box(scene, above, op)
                if box is not None:
                    yield box
            elif above in scene.sources:
                yield from scene.sources[above]
            elif above not in seen:
                seen.add(above)
                waiting.append(above)


def _source_box(scene: _Scene, source: str, target: str) -> str | None:
    """The box of a node that is not hidden; for a parameter, the one in the call of the op that uses it."""
    uses = scene.uses.get(source)
    if uses is None:
        return scene.box_of_node[source]
    call = _call_of(scene.graph.nodes[target], scene.calls)
    if scene.places[call].box is None and not scene.options.show_parameters:
        return None
    return uses[call]
