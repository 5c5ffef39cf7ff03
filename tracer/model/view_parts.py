"""The boxes, frames and links that may be drawn of a content, each made when it is first asked for and then kept:
opening one module of a large graph makes little anew."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import networkx as nx
import numpy as np

from tracer.model.call_keys import unmarked
from tracer.model.call_tree import LIVE, Call
from tracer.model.content import Content, Ints, content_of, spots_of
from tracer.model.fold import Folds
from tracer.model.labels import (
    call_subtitle,
    call_title,
    fold_title,
    frame_title,
    graphless_subtitle,
    node_labels,
    title_of_paths,
)
from tracer.model.view import OPAQUE, Box, Group, Link
from tracer.model.visibility import ViewOptions

KEPT_FOLDINGS = 4


class ViewParts:
    """Where a box or link stands follows from the content alone: a node has one of its own only where the call that
    made it is open."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.spots = spots_of(content)
        self.calls: dict[str, Call] = {call.key: call for call in content.calls}
        self._repeated = _repeated(self.calls)
        self._copies = Counter(content.stand_ins.values())
        self._spot_boxes: list[Box | None] = [None] * len(self.spots.keys)
        self._call_boxes: dict[int, Box] = {}
        self._frames: dict[int, Group] = {}
        self._links: dict[int, Link] = {}

    def spot_box(self, spot: int) -> Box:
        box = self._spot_boxes[spot]
        if box is None:
            is_parameter = bool(self.spots.is_parameter[spot])
            box = self._spot_boxes[spot] = self._parameter_box(spot) if is_parameter else self._node_box(spot)
        return box

    def add_call_boxes(self, closed_by: Ints) -> None:
        """Makes the boxes of the calls that are closed for the spots (m,); -1 is an open one."""
        missing = np.array(
            [call for call in np.unique(closed_by).tolist() if call >= 0 and call not in self._call_boxes], np.int64
        )
        within = np.flatnonzero(np.isin(closed_by, missing)) if len(missing) else missing
        members: dict[int, list[int]] = {}
        for spot, call in zip(within.tolist(), closed_by[within].tolist(), strict=True):
            members.setdefault(call, []).append(spot)
        for call, spots in members.items():
            self._call_boxes[call] = self._call_box(call, spots)

    def call_box(self, call: int) -> Box:
        """Of a call with nodes; its box was made before."""
        return self._call_boxes[call]

    def graphless_box(self, number: int, has_inside: bool) -> Box:
        call = self.content.calls[number]
        labels = call_title(call, call.key in self._repeated), graphless_subtitle(call, self.calls)
        return Box(call.key, "module", *labels, call.parent, (), trait=call.state, has_inside=has_inside)

    def frame(self, number: int) -> Group:
        frame = self._frames.get(number)
        if frame is None:
            call, part = self.content.calls[number], self.content.parts.get(self.content.calls[number].key)
            title = frame_title(call, self.calls, call.key in self._repeated)
            if part is not None:
                title = fold_title(part.title, part.count)
                title += "" if part.title == call.class_name else f" · {call.class_name}"
            trait = "" if call.state == LIVE else call.state
            frame = self._frames[number] = Group(call.key, title, call.parent, trait, part.fold if part else "")
        return frame

    def link(self, code: int, source: str, target: str, count: int) -> Link:
        """`code` tells the two ends."""
        link = self._links.get(code)
        if link is None or link.count != count:
            link = self._links[code] = Link(source, target, count)
        return link

    def _frame_of(self, spot: int) -> str | None:
        owner = int(self.spots.owners[spot])
        return self.content.calls[owner].key if owner >= 0 else None

    def _node_box(self, spot: int) -> Box:
        content, number = self.content, int(self.spots.nodes[spot])
        key, node = content.keys[number], content.nodes[number]
        title, subtitle = node_labels(key, node)
        trait, has_inside = opacity(node)
        part = content.parts.get(key)
        if part is not None:
            title = fold_title(part.title, part.count)
        members, fold = content.copies_of(number), part.fold if part else ""
        frame, is_chained = self._frame_of(spot), key in content.chained
        return Box(key, node["kind"], title, subtitle, frame, members, (), trait, has_inside, fold, is_chained)

    def _parameter_box(self, spot: int) -> Box:
        content, number, owner = self.content, int(self.spots.nodes[spot]), int(self.spots.owners[spot])
        key, node = content.keys[number], content.nodes[number]
        users = self.spots.users.get(spot, ())
        title, subtitle = node_labels(key, node, content.calls[owner].path if owner >= 0 else "")
        copies, fold = content.copies_of(number), ""
        part = next((part for user in users if (part := content.parts.get(content.keys[user]))), None)
        if part is not None and len(copies) > 1:
            fold = part.fold
            title = fold_title(title_of_paths([content.keys[number], *copies[1:]]), len(copies))
        anchors = tuple(copy for user in users for copy in content.copies_of(user))
        box_key = self.spots.keys[spot]
        return Box(box_key, "parameter", title, subtitle, self._frame_of(spot), copies, anchors, fold=fold)

    def _call_box(self, number: int, spots: list[int]) -> Box:
        content, call = self.content, self.content.calls[number]
        numbers = self.spots.nodes[spots].tolist()
        ops = [node for node, spot in zip(numbers, spots, strict=True) if not self.spots.is_parameter[spot]]
        anchors = tuple(key for node in ops for key in content.copies_of(node))
        part = content.parts.get(call.key)
        title = call_title(call, call.key in self._repeated) if part is None else fold_title(part.title, part.count)
        return Box(
            call.key,
            "module",
            title,
            call_subtitle(call.class_name, len(anchors) // (1 + self._copies[call.key])),
            call.parent,
            tuple(key for node in dict.fromkeys(numbers) for key in content.copies_of(node)),
            anchors,
            fold=part.fold if part else "",
            is_chained=call.key in content.chained,
        )


def opacity(node: Mapping[str, Any]) -> tuple[str, bool]:
    """Trait of a node, and whether what is inside it is known, where it hides something."""
    return (OPAQUE, node.get("inside") is not None) if node.get("opaque") else ("", True)


def _repeated(calls: Mapping[str, Call]) -> set[str]:
    """Keys of the calls that share their module with another; passes without grad are counted apart, as keys are."""
    modules = {key: (call.path, unmarked(key)[1]) for key, call in calls.items()}
    counts = Counter(modules.values())
    return {key for key, module in modules.items() if counts[module] > 1}


class _Known:
    """What depends on a graph alone, kept for the next view of it."""

    def __init__(self, graph: nx.MultiDiGraph) -> None:
        self.plain = ViewParts(content_of(graph))
        self._folds: Folds | None = None
        self._foldings: dict[frozenset[str], ViewParts] = {}

    def folds(self, graph: nx.MultiDiGraph) -> Folds:
        if self._folds is None:
            self._folds = Folds(graph, self.plain.content)
        return self._folds

    def folded(self, graph: nx.MultiDiGraph, unfolded: frozenset[str]) -> ViewParts:
        folds = self.folds(graph)
        unfolded &= folds.keys
        parts = self._foldings.pop(unfolded, None)
        self._foldings[unfolded] = parts = parts or ViewParts(folds.folded(unfolded))
        if len(self._foldings) > KEPT_FOLDINGS:
            del self._foldings[next(iter(self._foldings))]
        return parts


_known: WeakKeyDictionary[nx.MultiDiGraph, _Known] = WeakKeyDictionary()


def view_parts(graph: nx.MultiDiGraph, options: ViewOptions) -> ViewParts:
    """What may be drawn of a graph, which is not changed from now on."""
    known = _known.get(graph)
    if known is None:
        known = _known[graph] = _Known(graph)
    return known.folded(graph, options.unfolded) if options.folds_repeats else known.plain
