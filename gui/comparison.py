"""Which step the shown one is compared with, and that step as it stands in the same layout, for the left of two."""

from dataclasses import dataclass

from gui.canvas.colors import colored
from gui.canvas.fit import Fit
from gui.canvas.frame_states import frame_states_before
from gui.canvas.scene import Scene
from gui.canvas.states import states_before
from gui.coloring import Coloring
from gui.theme import Theme
from tracer import Step
from tracer.model.statistics import Statistics

NOTHING_BEFORE = "No step comes before this one; choose one to compare with"


@dataclass(frozen=True, slots=True, eq=False)
class Counterpart:
    """The compared step in the layout of the shown one. Without a graph there is no `scene`, and `why` says so."""

    step: Step | None
    scene: Scene | None
    why: str = ""


def compared_step(step: int, pinned: int | None, shown: tuple[int, int] | None, follows_live: bool) -> int:
    """The step to compare with, -1 for none: the pinned one, else the step on screen before.

    `shown` is the step on screen and what it was compared with, if there is any. At first, and while the live run is
    followed, the step before in time is meant: which steps were on screen is then not the user's choice.
    """
    if pinned is not None:
        return pinned
    if shown is None or follows_live:
        return step - 1
    return shown[0] if shown[0] != step else shown[1]


def scene_before(
    after: Scene, fitted: Fit, coloring: Coloring, theme: Theme, statistics: Statistics | None = None
) -> Scene:
    """The compared step, whose graph `fitted` is of, from its own point of view: what the shown step `after` lacks is
    removed from it, what that one adds is not there yet."""
    states = states_before(fitted, after.states)
    groups = frame_states_before(after.group_states)
    return Scene(fitted, states, groups, colored(fitted, states, groups, coloring, statistics, theme))
