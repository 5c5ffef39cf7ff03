"""Every frame laid out by itself, from the innermost out; in the one around it, it is a box with ports."""

from dataclasses import dataclass, field

from tracer.layout.homes import Homes
from tracer.layout.layered import Edge
from tracer.layout.level import Level, PlacedLevel, place_level
from tracer.layout.nesting import ENTRY, EXIT, Scope
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


def place_frames(view: View, scopes: list[Scope], homes: Homes, cache: LayoutCache, watch: Watch) -> list[Frame]:
    """The frames in the order of `scopes`, the scene last. Equal levels are laid out once; the cache is renewed."""
    placing = _Placing(view, homes)
    levels: dict[Level, PlacedLevel] = {}
    for number in [*reversed(range(len(view.groups))), len(view.groups)]:
        scope = scopes[number]
        watch.begin(scope.weight)
        level = placing.level(scope, number)
        if level not in levels:
            levels[level] = cache.levels.get(level) or place_level(level, watch)
        placing.finish(scope, number, levels[level])
        watch.finish(scope.weight)
    cache.levels = levels
    return [placing.frames[number] for number in range(len(scopes))]


class _Placing:
    """Turns scopes into levels and placed levels into frames. `frames` are those finished, by number."""

    def __init__(self, view: View, homes: Homes) -> None:
        self.view = view
        self.homes = homes
        self.frames: dict[int, Frame] = {}

    def level(self, scope: Scope, number: int) -> Level:
        """The level of a scope whose inner frames are finished."""
        frame_key = self.view.groups[number].key if number < len(self.view.groups) else None
        place = {item: index for index, item in enumerate(scope.items)}
        first_exit = len(scope.items) + len(scope.entries)
        edges = []
        for start, end, source in scope.pieces:
            edges.append(
                Edge(
                    len(scope.items) + scope.entries[source] if start == ENTRY else place[start],
                    first_exit + scope.exits[source] if end == EXIT else place[end],
                    self._port(start, source, is_entry=False),
                    self._port(end, source, is_entry=True),
                    PARAMETER_WEIGHT if self.view.boxes[source].kind == "parameter" else DATA_WEIGHT,
                )
            )
        return Level(
            sizes=tuple(self._size(item) for item in scope.items),
            entries=len(scope.entries),
            exits=len(scope.exits),
            edges=tuple(edges),
            homes=tuple(self._home(item, frame_key) for item in scope.items),
        )

    def finish(self, scope: Scope, number: int, content: PlacedLevel) -> None:
        """Draws the frame around a level: centred, below the title, with some room at the sides."""
        span = content.right - content.left
        is_scene = number == len(self.view.groups)
        width = span + 2 * FRAME_PAD if is_scene else frame_width(self.view.groups[number], span)
        head = FRAME_PAD if is_scene else FRAME_HEAD
        shift = (width - span) / 2 - content.left, head
        first_entry, first_exit = len(scope.items), len(scope.items) + len(scope.entries)
        side = shift[0] - width / 2
        self.frames[number] = Frame(
            content,
            width,
            content.height + head + (0.0 if scope.exits else FRAME_PAD),
            shift,
            {source: content.centres[first_entry + port][0] + side for source, port in scope.entries.items()},
            {source: content.centres[first_exit + port][0] + side for source, port in scope.exits.items()},
        )

    def _frame_of(self, item: int) -> Frame | None:
        """The frame an item is, None for a box."""
        return self.frames[item - len(self.view.boxes)] if item >= len(self.view.boxes) else None

    def _size(self, item: int) -> tuple[float, float]:
        frame = self._frame_of(item)
        return box_size(self.view.boxes[item]) if frame is None else (frame.width, frame.height)

    def _port(self, end: int, source: int, is_entry: bool) -> float:
        """Where a piece is attached to its end, right of its centre."""
        frame = None if end in (ENTRY, EXIT) else self._frame_of(end)
        if frame is None:
            return 0.0
        return frame.entries[source] if is_entry else frame.exits[source]

    def _home(self, item: int, around: str | None) -> float | None:
        """Where the centre of an item must be for it, or the content of the frame it is, to stay in place."""
        frame = self._frame_of(item)
        if frame is None:
            return self.homes.centre(self.view.boxes[item].key, around)
        key = self.view.groups[item - len(self.view.boxes)].key
        left = self.homes.left(key, around)
        return self.homes.centre(key, around) if left is None else round(left - frame.shift[0] + frame.width / 2, 1)
