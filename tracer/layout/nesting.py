"""A view taken apart into levels: what lies in which frame, and the pieces of links on their way."""

from dataclasses import dataclass, field

from tracer.layout.watch import Watch
from tracer.model.view import View

ENTRY, EXIT = -1, -2  # ends of a piece at the frame itself


@dataclass(slots=True)
class Scope:
    """The inside of a frame, or the whole scene. Items are numbers of boxes, or of frames (counted after the boxes).

    A tensor (the source box of a link) that comes in or goes out has one port, however many links carry it.
    `pieces` are (from, to, source box): ends are items, or ENTRY, EXIT.
    """

    items: list[int] = field(default_factory=list)
    entries: dict[int, int] = field(default_factory=dict)
    exits: dict[int, int] = field(default_factory=dict)
    pieces: dict[tuple[int, int, int], int] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        """How much work it is."""
        return len(self.items) + len(self.pieces) + 1

    def add_piece(self, start: int, end: int, source: int) -> int:
        """The number of the piece, an old one if it is there."""
        if start == ENTRY:
            self.entries.setdefault(source, len(self.entries))
        if end == EXIT:
            self.exits.setdefault(source, len(self.exits))
        return self.pieces.setdefault((start, end, source), len(self.pieces))


@dataclass(frozen=True, slots=True)
class Nesting:
    """`scopes` has one scope per frame, then the scene's; `place` says which of its scope's items each item is. `paths`
    are the (scope, piece) of each link.
    """

    scopes: list[Scope]
    place: list[int]
    paths: list[list[tuple[int, int]]]


def take_apart(view: View, watch: Watch) -> Nesting:
    frames = len(view.groups)
    frame_number: dict[str | None, int] = {group.key: index for index, group in enumerate(view.groups)}
    frame_number[None] = frames
    scopes = [Scope() for _ in range(frames + 1)]
    inside = [frame_number[box.group] for box in view.boxes]
    inside += [frame_number[group.parent] for group in view.groups]
    place = []
    for item, scope in enumerate(inside):
        place.append(len(scopes[scope].items))
        scopes[scope].items.append(item)
    return Nesting(scopes, place, _paths(view, scopes, inside, watch))


def _paths(view: View, scopes: list[Scope], inside: list[int], watch: Watch) -> list[list[tuple[int, int]]]:
    boxes, frames = len(view.boxes), len(view.groups)
    around = [_frames_around(boxes + frame, inside, boxes, frames) for frame in range(frames)]
    around.append([])
    number = {box.key: index for index, box in enumerate(view.boxes)}
    paths = []
    for link in view.links:
        watch.check()
        source, target = number[link.source], number[link.target]
        scope = inside[source]
        if scope == inside[target]:
            pieces = scopes[scope].pieces
            paths.append([(scope, pieces.setdefault((source, target, source), len(pieces)))])
        else:
            paths.append(_path(source, target, scopes, inside, around, boxes))
    return paths


def _frames_around(item: int, inside: list[int], boxes: int, scene: int) -> list[int]:
    """The frames from the outermost to the item's own (the item being a frame)."""
    chain = []
    scope = item - boxes
    while scope != scene:
        chain.append(scope)
        scope = inside[boxes + scope]
    return chain[::-1]


def _path(
    source: int, target: int, scopes: list[Scope], inside: list[int], around: list[list[int]], boxes: int
) -> list[tuple[int, int]]:
    """Out of the frames around the source, across the innermost common one, into those around the target."""
    out, into = around[inside[source]], around[inside[target]]
    common = 0
    while common < len(out) and common < len(into) and out[common] == into[common]:
        common += 1
    path = []
    start = source
    for frame in reversed(out[common:]):
        path.append((frame, scopes[frame].add_piece(start, EXIT, source)))
        start = boxes + frame
    ends = [*(boxes + frame for frame in into[common:]), target]
    across = out[common - 1] if common else len(scopes) - 1
    path.append((across, scopes[across].add_piece(start, ends[0], source)))
    for frame, end in zip(into[common:], ends[1:], strict=True):
        path.append((frame, scopes[frame].add_piece(ENTRY, end, source)))
    return path
