"""How to record: the choices behind `tapescope run`'s flags and `tracer.record`'s arguments."""

from dataclasses import dataclass

from tracer.control.run_control import OnDetach
from tracer.errors import UsageError

LEVELS = ("structure",)


@dataclass(frozen=True, slots=True)
class Options:
    """`every` = k keeps the graph of every k-th step only; `max_steps` ends the script after that many steps.

    With `control` the training listens for a client on this machine; `strict` lets errors of the capture through (for
    tests). Raises UsageError where a value makes no sense.
    """

    level: str = "structure"
    every: int = 1
    max_steps: int | None = None
    control: bool = True
    on_detach: OnDetach = "resume"
    strict: bool = False

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise UsageError(f"There is no level {self.level!r}; choose {' or '.join(LEVELS)}.")
        if self.every < 1:
            raise UsageError(f"Keeping the graph of every {self.every} steps makes no sense; give a number from 1 on.")
        if self.max_steps is not None and self.max_steps < 1:
            raise UsageError(f"Ending after {self.max_steps} steps makes no sense; give a number from 1 on.")
