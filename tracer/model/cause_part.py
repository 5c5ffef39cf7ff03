"""One cause of what differs between two steps, while it is put together."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tracer.model.broken_off import BrokenOff
from tracer.model.size_changes import SizeChange
from tracer.model.structure import SourceLine

BROKEN_OFF, MODE, PASSES = "broken off", "mode", "passes"
REPEATED, APPEARED, DISAPPEARED, ROUTING = "repeated", "appeared", "disappeared", "routing"
HIDDEN, FROZEN, UNREACHED = "hidden", "frozen", "unreached"
DTYPE, DEVICE, REPLACED = "dtype", "device", "replaced"
BATCH, SHAPES, REWIRED, EVALUATION = "batch", "shapes", "rewired", "evaluation"

_FEW_MODULES = 2


@dataclass(slots=True, eq=False)
class Part:
    """`owner` is the path of the module whose calls it is about, None outside of all; `before` and `after` are counts.

    `went` and `came` are paths of modules whose calls only the first or the second step has, `lines` those that made
    the difference, `ops` what they made. `direction` is 1 where the second step has what the first lacks, -1 for the
    opposite. `is_of_lines` tells that what it counts are runs of `lines`, `is_exact` that they are no mere ops,
    `has_other_lines` that the same modules are called from elsewhere too. `name` is that of an attribute, of an op that
    hides others, or of what came; `values` are those of an attribute, `sizes` what changed in size,
    `broken_off` is the step that an exception ended.
    """

    kind: str
    owner: str | None = None
    before: int = 0
    after: int = 0
    direction: int = 0
    name: str = ""
    went: dict[str, None] = field(default_factory=dict)
    came: dict[str, None] = field(default_factory=dict)
    lines: list[SourceLine] = field(default_factory=list)
    is_of_lines: bool = False
    has_other_lines: bool = False
    is_exact: bool = True
    owners: dict[str | None, None] = field(default_factory=dict)
    ops: Counter[str] = field(default_factory=Counter)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    values: tuple[object, object] = (None, None)
    sizes: tuple[SizeChange, ...] = ()
    broken_off: BrokenOff | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple({**self.went, **self.came})

    @property
    def size(self) -> int:
        """How many nodes it explains."""
        return len(self.added) + len(self.removed) + len(self.changed)


def common_path(paths: Iterable[str | None]) -> str | None:
    """The path of the innermost module around all of these; None where one is outside of all."""
    every = list(paths)
    if not every or any(path is None for path in every):
        return None
    words = [str(path).split(".") if path else [] for path in every]
    shared = words[0]
    for other in words[1:]:
        same = 0
        while same < min(len(shared), len(other)) and shared[same] == other[same]:
            same += 1
        shared = shared[:same]
    return ".".join(shared)


def is_inside(path: str | None, of: str | None) -> bool:
    """Whether a module is another, or inside of it; everything is inside of None."""
    return not of or path == of or (path is not None and path.startswith(f"{of}."))


def foremost_modules(paths: Iterable[str | None]) -> list[str | None]:
    """The one or two just below their common module that most of these lie in, where there are such; else that one."""
    every = list(paths)
    around = common_path(every)
    if around is None:
        return [None]
    below = Counter(_just_below(around, path or "") for path in every)
    foremost, covered = list[str | None](), 0
    for path, count in below.most_common(_FEW_MODULES):
        foremost.append(path)
        covered += count
        if 2 * covered > len(every):
            return [around] if around in foremost else foremost
    return [around]


def _just_below(around: str, path: str) -> str:
    """ "experts.1" for "experts.1.up": of a list, the one in it."""
    n_around = around.count(".") + 1 if around else 0
    words = path.split(".") if path else []
    n_more = 2 if len(words) > n_around + 1 and words[n_around + 1].isdecimal() else 1
    return ".".join(words[: n_around + n_more])
