"""Every frame laid out by itself, from the innermost out; in the one around it, it is a box with ports."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tracer.layout.homes import Homes
from tracer.layout.layered import Edge
from tracer.layout.level import Level, PlacedLevel, place_level
from tracer.layout.nesting import ENTRY, EXIT, Nesting, Scope
from tracer.layout.sizes import FRAME_HEAD, FRAME_PAD, box_size, frame_width
from tracer.layout.watch import Watch
from tracer.model.view import View

DATA_WEIGHT, PARAMETER_WEIGHT = 1.0, 0.001  # data makes the straight spine, parameters stand aside


@dataclass(slots=True)
class LayoutCache:
    """Levels of the last layout, for the next one. One per drawing, used by one thread at a time."""

    levels: dict[Level, PlacedLevel] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """A laid out frame, or the scene. `shift` leads from the x and y of its content to those from its top left corner.

    `entries` and `exits` say how far right of its centre the port of each tensor (source box) is.
    """

    content: PlacedLevel
    width: float
    height: float
    shift: tuple[float, float]
    entries: dict[int, float]
    exits: dict[int, float]


def place_frames(
    view: View, nesting: Nesting, homes: Homes, cache: LayoutCache, watch: Watch
) -> tuple[list[Frame], list[tuple[float, float]]]:
    """The frames in the order of the scopes, the scene last; and width and height of boxes and frames.

    Equal levels are laid out once; the cache is renewed.
    """
    placing = _Placing(view, nesting, homes)
    levels: dict[Level, PlacedLevel] = {}
    for number in [*reversed(range(len(view.groups))), len(view.groups)]:
        scope = nesting.scopes[number]
        watch.begin(scope.weight)
        level = placing.level(scope, number)
        placed = levels.get(level)
        if placed is None:
            placed = levels[level] = cache.levels.get(level) or place_level(level, watch)
        placing.finish(scope, number, placed)
        watch.finish(scope.weight)
    cache.levels = levels
    return [placing.frames[number] for number in range(len(nesting.scopes))], placing.sizes


class _Placing:
    """Turns scopes into levels and placed levels into frames. `frames` are those finished, by number."""

    def __init__(self, view: View, nesting: Nesting, homes: Homes) -> None:
        self.groups = view.groups
        self.boxes = len(view.boxes)
        self.place = nesting.place
        self.homes = homes
        self.frames: dict[int, Frame] = {}
        self.sizes = [box_size(box) for box in view.boxes] + [(0.0, 0.0)] * len(nesting.scopes)
        self.centres = homes.centres(view.boxes)
        self.weights = [PARAMETER_WEIGHT if box.kind == "parameter" else DATA_WEIGHT for box in view.boxes]

    def level(self, scope: Scope, number: int) -> Level:
        """The level of a scope whose inner frames are finished."""
        frame_key = self.groups[number].key if number < len(self.groups) else None
        centres, sizes, boxes = self.centres, self.sizes, self.boxes
        return Level(
            sizes=tuple([sizes[item] for item in scope.items]),
            entries=len(scope.entries),
            exits=len(scope.exits),
            edges=tuple(self._edges(scope)),
            homes=tuple(
                [centres[item] if item < boxes else self._home_of_frame(item, frame_key) for item in scope.items]
            ),
        )

    def _edges(self, scope: Scope) -> Iterator[Edge]:
        """Its pieces, attached to inner frames where their ports are."""
        place, boxes, frames, weights = self.place, self.boxes, self.frames, self.weights
        first_entry = len(scope.items)
        first_exit = first_entry + len(scope.entries)
        for start, end, source in scope.pieces:
            if 0 <= start < boxes and 0 <= end < boxes:
                yield Edge(place[start], place[end], 0.0, 0.0, weights[source])
                continue
            first = first_entry + scope.entries[source] if start == ENTRY else place[start]
            last = first_exit + scope.exits[source] if end == EXIT else place[end]
            exit_offset = 0.0 if start < boxes else frames[start - boxes].exits[source]
            entry_offset = 0.0 if end < boxes else frames[end - boxes].entries[source]
            yield Edge(first, last, exit_offset, entry_offset, weights[source])

    def finish(self, scope: Scope, number: int, content: PlacedLevel) -> None:
        """Draws the frame around a level: centred, below the title, with some room at the sides."""
        span = content.right - content.left
        is_scene = number == len(self.groups)
        width = span + 2 * FRAME_PAD if is_scene else frame_width(self.groups[number], span)
        head = FRAME_PAD if is_scene else FRAME_HEAD
        shift = (width - span) / 2 - content.left, head
        first_entry, first_exit = len(scope.items), len(scope.items) + len(scope.entries)
        side = shift[0] - width / 2
        height = content.height + head + (0.0 if scope.exits else FRAME_PAD)
        self.sizes[self.boxes + number] = width, height
        self.frames[number] = Frame(
            content,
            width,
            height,
            shift,
            {source: content.centres[first_entry + port][0] + side for source, port in scope.entries.items()},
            {source: content.centres[first_exit + port][0] + side for source, port in scope.exits.items()},
        )

    def _home_of_frame(self, item: int, around: str | None) -> float | None:
        """Where the centre of a frame must be for it, or its content, to stay in place."""
        frame, key = self.frames[item - self.boxes], self.groups[item - self.boxes].key
        left = self.homes.left(key, around)
        return self.homes.centre(key, around) if left is None else round(left - frame.shift[0] + frame.width / 2, 1)
