"""Links between module calls that made no graph: from what is known of which call's output went into which call."""

from collections.abc import Mapping, Set

from tracer.model.call_tree import LIVE, Call


def flow_links(calls: Mapping[str, Call], boxes: Set[str], frames: Set[str]) -> list[tuple[str, str]]:
    """Pairs of box keys. `boxes` are the keys of what is drawn closed, `frames` of what is drawn open."""
    if not any(call.fed_by for call in calls.values()):
        return []
    flow = _Flow(calls, boxes, frames)
    pairs: dict[tuple[str, str], None] = {}
    for call in calls.values():
        end = flow.box_around(call.key) if call.fed_by else None
        if end is not None:
            starts = (start for source in call.fed_by if source in calls for start in flow.exits(source))
            pairs.update({(start, end): None for start in starts if start != end})
    return list(pairs)


class _Flow:
    def __init__(self, calls: Mapping[str, Call], boxes: Set[str], frames: Set[str]) -> None:
        self.calls = calls
        self.boxes = boxes
        self.frames = frames
        self.children: dict[str, list[str]] = {}
        for call in calls.values():
            if call.parent is not None:
                self.children.setdefault(call.parent, []).append(call.key)

    def box_around(self, key: str) -> str | None:
        """The closed box that a call is, or lies in; None for an open one: what comes into it goes into a call in it,
        which says so itself."""
        at: str | None = key
        while at is not None and at not in self.boxes:
            if at in self.frames:
                return None
            at = self.calls[at].parent
        return at

    def exits(self, key: str) -> list[str]:
        """The boxes out of which the output of a call comes: those inside an open one that feed no other there."""
        found: list[str] = []
        waiting = [key]
        while waiting:
            at = waiting.pop()
            box = self.box_around(at)
            if box is not None:
                found.append(box)
            elif at in self.frames and self.calls[at].state != LIVE:
                waiting.extend(self._last(self.children.get(at, [])))
        return found

    def _last(self, siblings: list[str]) -> list[str]:
        used = {source for sibling in siblings for source in self.calls[sibling].fed_by}
        return [sibling for sibling in siblings if sibling not in used] or siblings[-1:]
