"""What is drawn of a graph, before it has positions: open modules as groups, the rest as boxes, edges between boxes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracer.model.call_tree import DETACHED, GRAPHLESS, NO_BACKWARD, NO_GRAD

OPAQUE = "opaque"
TRAIT_LABELS = {
    OPAQUE: "Opaque: autograd hides what is inside",
    DETACHED: "Detached: no gradient reached it",
    NO_BACKWARD: "No backward ran",
    NO_GRAD: "Forward only, without grad",
}
"""What may be special about a box: an op that hides what is inside, a module call that made no graph."""

__all__ = [
    "DETACHED",
    "GRAPHLESS",
    "NO_BACKWARD",
    "NO_GRAD",
    "OPAQUE",
    "TRAIT_LABELS",
    "Box",
    "Fold",
    "Group",
    "Link",
    "View",
]


@dataclass(frozen=True, slots=True)
class Box:
    """One rectangle of the drawing: an op, a parameter, an output, or a closed module call.

    `key` is the node key, or the call key of a closed module, or `name@call key` for a parameter drawn once more;
    `members` are the node keys it stands for (itself for a node). `group` is the key of the open module call it lies
    in, None at the top. `anchors` are the ops with which it comes and goes, where these are not simply its members: a
    parameter that is in every step may be drawn in a call that is not. A module call that made no graph has no
    members. `trait` is a key of TRAIT_LABELS, "" for none. `has_inside` says of a module call whether anything is in
    it, and of an opaque op whether that is known. `fold` is the key of the fold that the box draws all copies of, ""
    where it stands for itself alone; what lies in an open frame that is a fold has none of its own. `is_chained` tells
    that most of the copies it stands for are fed by another: a cell by its state, layers, but not experts.
    """

    key: str
    kind: str  # "op" | "parameter" | "input" | "output" | "module"
    title: str
    subtitle: str
    group: str | None
    members: tuple[str, ...]
    anchors: tuple[str, ...] = ()
    trait: str = ""
    has_inside: bool = True
    fold: str = ""
    is_chained: bool = False

    @property
    def can_open(self) -> bool:
        """Whether one can look inside."""
        return self.has_inside and (self.kind == "module" or self.trait == OPAQUE)

    @property
    def lives_with(self) -> tuple[str, ...]:
        """The nodes of which a step must have one for the box to be there; none for a call that makes none."""
        return self.anchors or self.members


@dataclass(frozen=True, slots=True)
class Group:
    """An open module call, drawn as a frame around its content. `parent` is the frame it lies in, None at the top;
    `trait` and `fold` as of a box."""

    key: str
    title: str
    parent: str | None
    trait: str = ""
    fold: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A drawn edge between two boxes (keys), standing for `count` edges of the graph, in data-flow direction."""

    source: str
    target: str
    count: int


@dataclass(frozen=True, slots=True)
class Fold:
    """Equal parts of a graph, one after the other, that are drawn once: turns of a loop, layers, experts.

    `key` is that of the first copy's first call or op, with a mark behind where another fold begins with the same one.
    `anchors` has a node of each copy, in their order: a step has a copy where it has its anchor. Several boxes may
    belong to one fold, if each turn of a loop makes several.
    """

    key: str
    anchors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """The boxes, frames and links to lay out. Groups come parents first; every key is unique over boxes and groups.

    `stand_ins` leads from the key of a call that is folded away to that of the call drawn for it; `apart` from the key
    of a call or op in a fold that is taken apart to the fold's key.
    """

    boxes: tuple[Box, ...]
    groups: tuple[Group, ...]
    links: tuple[Link, ...]
    folds: tuple[Fold, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    apart: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
