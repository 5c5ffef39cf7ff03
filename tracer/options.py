"""How to record: the choices behind `tapescope run`'s flags and `tracer.record`'s arguments."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracer.conditions import breakpoint_of, checked
from tracer.control.run_control import OnDetach
from tracer.errors import UsageError
from tracer.model.breakpoints import Breakpoint
from tracer.model.keep import Keep, keep_of

LEVELS = ("structure", "statistics", "full")


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is recorded of which steps: every `every`-th at `level`; of those between the graph alone, or, at the level
    "structure", the scalars alone. Raises UsageError where a value makes no sense."""

    level: str = "structure"
    every: int = 1

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise UsageError(f"There is no level {self.level!r}; choose {', '.join(LEVELS[:-1])} or {LEVELS[-1]}.")
        if type(self.every) is not int or self.every < 1:
            raise UsageError(f"Recording every {self.every} steps makes no sense; give a number from 1 on.")

    def takes_graph(self, step: int) -> bool:
        return self.level != "structure" or step % self.every == 0

    def measures(self, step: int) -> bool:
        return self.level != "structure" and step % self.every == 0


@dataclass(frozen=True, slots=True)
class Options:
    """`level` and `every` are those of `Sampling`; `max_steps` ends the script after that many steps.
    `max_size` ("2GB") and `keep` ("every=100,last=1000,changes") keep the tape small, see `tracer.model.keep`.

    With `control` the training listens for a client on this machine; `expects_client` says that one is about to attach,
    whom the first stop then waits for; `breakpoints` are set from the beginning, each a `Breakpoint` or its text (see
    `tracer.model.breakpoints`); with `break_on_exception` it waits before an exception ends it. `strict` lets errors of
    the capture through (for tests). Raises UsageError where a value makes no sense.
    """

    level: str = "structure"
    every: int = 1
    max_steps: int | None = None
    control: bool = True
    on_detach: OnDetach = "resume"
    expects_client: bool = False
    breakpoints: Sequence[Breakpoint | str] = ()
    break_on_exception: bool = False
    max_size: str | int | None = None
    keep: str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        _ = self.sampling, self.all_breakpoints, self.kept
        if self.max_steps is not None and self.max_steps < 1:
            raise UsageError(f"Ending after {self.max_steps} steps makes no sense; give a number from 1 on.")

    @property
    def all_breakpoints(self) -> tuple[Breakpoint, ...]:
        """Checked; those given as text numbered from 1 on."""
        return tuple(
            breakpoint_of(each, number) if isinstance(each, str) else checked(each)
            for number, each in enumerate(self.breakpoints, 1)
        )

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.level, self.every)

    @property
    def kept(self) -> Keep | None:
        """What is kept where not all of it is."""
        return None if self.max_size is None and self.keep is None else keep_of(self.max_size, self.keep)
