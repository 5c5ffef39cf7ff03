"""What is highlighted beside the selection: what a search found, or what lies upstream, downstream or between."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gui import format as fmt
from gui.canvas.scene import Scene
from tracer.model.reach import reached
from tracer.model.stand_ins import StandIns

Neighbors = Mapping[str, Iterable[str]]
FOUND, UPSTREAM, DOWNSTREAM, PATH = "found", "upstream", "downstream", "path"


@dataclass(frozen=True, slots=True)
class Marks:
    """`keys` are nodes, module calls, or boxes that stand for neither. What was found stands out by itself; for the
    other kinds all the rest steps back.

    `origin` is what they were asked for: one key, or the two ends of a path. `count` is how many nodes (boxes, where
    there are no nodes) they are without those of `origin`; `is_joined` says of a path whether there is one.
    """

    keys: frozenset[str] = frozenset()
    kind: str = FOUND
    origin: tuple[str, ...] = ()
    count: int = 0
    is_joined: bool = True

    @property
    def dims_others(self) -> bool:
        return self.kind != FOUND

    def __bool__(self) -> bool:
        return bool(self.keys)


NO_MARKS = Marks()


def reach(scene: Scene, stand_ins: StandIns, kind: str, origin: tuple[str, ...]) -> Marks:
    """What lies upstream or downstream of a key, or between two of them, whichever of them comes first.

    What is asked from is marked as well. Where it made no graph, the links drawn are all there is to follow.
    """
    starts = [_nodes_of(scene, stand_ins, key) for key in origin]
    if all(starts):
        above, below = scene.graph.pred, scene.graph.succ
    else:
        starts = [{box.key for box in stand_ins.boxes_of(key)} for key in origin]
        above, below = _along_links(scene)
    if kind == PATH:
        first, second = starts
        found = _between(first, second, above, below) or _between(second, first, above, below)
    else:
        neighbors: Neighbors = above if kind == UPSTREAM else below
        found = reached(neighbors, starts[0])
    ends: set[str] = set().union(*starts)
    return Marks(frozenset(found | ends), kind, origin, len(found - ends), bool(found))


def text_of(marks: Marks, names: tuple[str, ...]) -> str:
    """What the marks show, in one line; `names` are those of their origin."""
    nodes = fmt.plural(marks.count, "node")
    if marks.kind == PATH and not marks.is_joined:
        return f"No path between {names[0]} and {names[1]}"
    if marks.kind == PATH:
        return f"Between {names[0]} and {names[1]}: {nodes}"
    where = "Upstream" if marks.kind == UPSTREAM else "Downstream"
    return f"{where} of {names[0]}: {nodes}"


def _between(sources: set[str], targets: set[str], above: Neighbors, below: Neighbors) -> set[str]:
    above_targets = reached(above, targets)
    return reached(below, sources) & above_targets


def _nodes_of(scene: Scene, stand_ins: StandIns, key: str) -> set[str]:
    """The step's nodes that a key stands for as it is drawn: a fold for those of all copies, a node in a closed module
    for itself alone."""
    boxes = stand_ins.boxes_of(key)
    if key in scene.graph and not any(box.kind != "module" for box in boxes):
        return {key}
    return {member for box in boxes for member in box.members if member in scene.fit.nodes}


def _along_links(scene: Scene) -> tuple[Neighbors, Neighbors]:
    """For each box those above and below it, along links that the step has."""
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for link, is_present in zip(scene.layout.view.links, scene.links_present.tolist(), strict=True):
        if is_present:
            above.setdefault(link.target, []).append(link.source)
            below.setdefault(link.source, []).append(link.target)
    return above, below
