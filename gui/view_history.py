"""Back and forward over views: where the user looked before a jump, as in a browser."""

from dataclasses import dataclass, field

from tracer.model.focus import Focus

LONGEST = 100


@dataclass(frozen=True, slots=True)
class Look:
    """Which part of the graph is in view, told by what is nearest to its middle, so that it survives another layout.

    `dx`, `dy` lead from the middle of the box `anchor` to that of the view, in scene units.
    """

    anchor: str = ""
    dx: float = 0.0
    dy: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class ViewState:
    """What back and forward bring back. The options are as in DrawingOptions."""

    look: Look = Look()
    open_calls: frozenset[str] | None = None
    unfolded: frozenset[str] = frozenset()
    focus: Focus | None = None
    selection: str = ""


@dataclass(slots=True)
class ViewHistory:
    """Views left behind, the latest last, and those gone back from, the next one last.

    Each view is noted as it is when the user leaves it, so that panning on needs no entry.
    """

    past: list[ViewState] = field(default_factory=list)
    future: list[ViewState] = field(default_factory=list)

    def leave(self, view: ViewState) -> None:
        """A jump away from this view; what was gone back from is no longer ahead."""
        self.future.clear()
        if not self.past or self.past[-1] != view:
            self.past.append(view)
            del self.past[:-LONGEST]

    def back(self, current: ViewState) -> ViewState | None:
        """The view before this one, None where there is none. One that looks the same is passed over."""
        return _move(self.past, self.future, current)

    def forward(self, current: ViewState) -> ViewState | None:
        return _move(self.future, self.past, current)

    def clear(self) -> None:
        self.past.clear()
        self.future.clear()


def _move(source: list[ViewState], target: list[ViewState], current: ViewState) -> ViewState | None:
    while source:
        view = source.pop()
        if view != current:
            target.append(current)
            return view
    return None
