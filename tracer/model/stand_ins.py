"""What is drawn for something that is not drawn itself: a closed call for its content, a fold for its copies."""

from collections.abc import Callable, Mapping

import networkx as nx

from tracer.model.call_tree import Call, call_tree
from tracer.model.view import Box, View


class StandIns:
    """Boxes and frames of one view by the nodes and module calls of a graph, a step's or the union the view is of."""

    def __init__(self, view: View, graph: nx.MultiDiGraph, calls: Mapping[str, Call] | None = None) -> None:
        self._view = view
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

    def of(self, key: str) -> tuple[str, ...]:
        """The boxes, or the one frame, that show a node, a call, or a box by its own key; none where nothing does.

        A parameter may have several boxes. A copy that a fold stands for has the frame or box of the copy drawn, a
        node that is hidden what is drawn of its call.
        """
        if key in self._frames:
            return (key,)
        if key in self._boxes:
            return tuple(self._boxes[key])
        for call in (key, *self.calls_around(key)):
            drawn = self._drawn_call(call)
            if drawn in self._frames or drawn in self._drawn:
                return (drawn,)
        return ()

    def shown_for(self, key: str, is_shown: Callable[[str], bool]) -> tuple[str, ...]:
        """The same, of what is to be seen: where nothing of a thing is, the innermost call around it that is."""
        for thing in (key, *self.calls_around(key)) if key else ():
            shown = tuple(box for box in self.of(thing) if is_shown(box))
            if shown:
                return shown
        return ()

    def boxes_of(self, key: str) -> list[Box]:
        """The boxes that show something; of a frame all that are in it."""
        shown = self.of(key)
        if not shown or shown[0] not in self._frames:
            return [self._drawn[box] for box in shown]
        return [box for box in self._drawn.values() if shown[0] in self._around(box.key)]

    def to_open(self, key: str) -> frozenset[str]:
        """The closed calls to open so that a node or a call is drawn by itself, or as the copy that its fold draws.

        What this opens may be folded in turn: ask again of the next view, until there is nothing more to open.
        """
        shown = self.of(key)
        drawn = next(iter(shown), "")
        if key in shown or drawn not in self._drawn or self._drawn[drawn].kind != "module":
            return frozenset()
        if key in self._calls and self._drawn_call(key) == drawn:
            return frozenset()
        return frozenset(map(self._drawn_call, self.calls_around(key))) - self._frames

    def calls_around(self, key: str) -> list[str]:
        """The calls that a node or a call lies in, from the inside out."""
        chain = []
        at = self._calls[key].parent if key in self._calls else self._call_of(key)
        while at is not None:
            chain.append(at)
            at = self._calls[at].parent
        return chain

    def _call_of(self, key: str) -> str | None:
        """The call that made a node, or that uses a parameter first."""
        if key not in self._graph:
            return None
        for node in (key, *self._graph.successors(key)):
            call: str | None = self._graph.nodes[node].get("call_key")
            if call in self._calls:
                return call
        return None

    def _drawn_call(self, call: str) -> str:
        """The call that a fold draws for this one, itself where it is no copy."""
        met = set()
        while call in self._view.stand_ins and call not in met:
            met.add(call)
            call = self._view.stand_ins[call]
        return call

    def _around(self, key: str) -> list[str]:
        """The key itself, if it is a frame, and the frames around it, from the inside out."""
        chain = []
        at = key if key in self._frames else self._drawn[key].group
        while at is not None:
            chain.append(at)
            at = self._parents[at]
        return chain
