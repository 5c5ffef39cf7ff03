"""What is drawn for something that is not drawn itself: a closed call for its content, a fold for its copies."""

from collections.abc import Mapping

import networkx as nx

from tracer.model.call_tree import Call, call_tree
from tracer.model.view import Box, View


class StandIns:
    """Boxes and frames of one view by the nodes and module calls of a graph, a step's or the union the view is of."""

    def __init__(self, view: View, graph: nx.MultiDiGraph, calls: Mapping[str, Call] | None = None) -> None:
        self._graph = graph
        self._calls = call_tree(graph) if calls is None else calls
        self._frames = {group.key for group in view.groups}
        self._drawn = {box.key: box for box in view.boxes}
        self._boxes: dict[str, list[str]] = {}
        for box in view.boxes:
            self._boxes.setdefault(box.key, []).append(box.key)
            for member in box.members:
                if member != box.key:
                    self._boxes.setdefault(member, []).append(box.key)
        self._parents = {group.key: group.parent for group in view.groups}
        self._content = self._drawn_content()

    def of(self, key: str) -> tuple[str, ...]:
        """The boxes, or the one frame, that show a node, a call, or a box by its own key; none where nothing does.

        A parameter may have several boxes. A copy that a fold stands for has the frame or box of the copy drawn, a
        node that is hidden what is drawn of its call.
        """
        if key in self._frames:
            return (key,)
        if key in self._boxes:
            return tuple(self._boxes[key])
        at = key if key in self._calls else self._call_of(key)
        while at is not None:
            if at in self._frames or at in self._boxes:
                return (at,) if at in self._frames else tuple(self._boxes[at])
            if at in self._content:
                return (self._content[at],)
            at = self._calls[at].parent
        return ()

    def boxes_of(self, key: str) -> list[Box]:
        """The boxes that show something; of a frame all that are in it."""
        shown = self.of(key)
        if not shown or shown[0] not in self._frames:
            return [self._drawn[box] for box in shown]
        return [box for box in self._drawn.values() if shown[0] in self._around(box.key)]

    def to_open(self, key: str) -> frozenset[str]:
        """The closed calls to open so that a node or a call is drawn by itself.

        What this opens may be folded in turn, or the copy of a fold that another copy is drawn for: ask again of the
        next view, until there is nothing more to open.
        """
        call = self._call_of(key)
        around = self._calls_around(key if key in self._calls else call)
        if key not in self._calls and call is not None:
            around.append(call)
        shown = self.of(key)
        drawn = next(iter(shown), "")
        if drawn in self._calls and drawn not in self._frames and key not in shown:
            is_inside = key not in self._calls or len(self._calls_around(key)) > len(self._calls_around(drawn))
            around += [drawn] if is_inside else []
        return frozenset(around) - self._frames

    def _call_of(self, key: str) -> str | None:
        """The call that made a node, or that uses a parameter first."""
        if key not in self._graph:
            return None
        for node in (key, *self._graph.successors(key)):
            call: str | None = self._graph.nodes[node].get("call_key")
            if call in self._calls:
                return call
        return None

    def _calls_around(self, call: str | None) -> list[str]:
        chain = []
        at = None if call is None or call not in self._calls else self._calls[call].parent
        while at is not None:
            chain.append(at)
            at = self._calls[at].parent
        return chain

    def _drawn_content(self) -> dict[str, str]:
        """For calls that are not drawn the box or innermost frame that holds all that is drawn of their nodes."""
        content: dict[str, str] = {}
        for node, call in self._graph.nodes(data="call_key"):
            boxes = self._boxes.get(node)
            if call is not None and boxes is not None and call not in self._frames and call not in self._boxes:
                self._join(content, call, boxes[0])
        for key in reversed(list(self._calls)):
            above = self._calls[key].parent
            if key in content and above is not None and above not in self._frames and above not in self._boxes:
                self._join(content, above, content[key])
        return content

    def _join(self, content: dict[str, str], call: str, drawn: str) -> None:
        held = content.get(call)
        common = drawn if held is None else self._common(held, drawn)
        if common is not None:
            content[call] = common

    def _common(self, first: str, second: str) -> str | None:
        if first == second:
            return first
        around = set(self._around(first))
        return next((key for key in self._around(second) if key in around), None)

    def _around(self, key: str) -> list[str]:
        """The key itself, if it is a frame, and the frames around it, from the inside out."""
        chain = []
        at = key if key in self._frames else self._drawn[key].group
        while at is not None:
            chain.append(at)
            at = self._parents[at]
        return chain
