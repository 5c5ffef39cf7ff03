"""Which modules are in training mode in one step and in evaluation mode in the other."""

from tracer.model.step_side import StepSide


class ModeChanges:
    """`tops` leads from the path of each such module to that of the outermost one around it that changed with it."""

    def __init__(self, before: StepSide, after: StepSide) -> None:
        modes = _modes(before), _modes(after)
        self._trains = {
            path: trains
            for path, trains in modes[1].items()
            if trains is not None and modes[0].get(path) is (not trains)
        }
        self.tops: dict[str, str] = {}
        for key, call in after.calls.items():
            path, owner = call.path, after.owner_of(key)
            if path in self._trains and path not in self.tops:
                is_inner = owner in self.tops and self._trains[owner] == self._trains[path]
                self.tops[path] = self.tops[owner] if is_inner and owner is not None else path

    def trains(self, path: str) -> bool:
        """The mode in the second step of a module that changed it."""
        return self._trains[path]


def _modes(side: StepSide) -> dict[str, bool | None]:
    """Of each module whether it trains; None where it was called in both modes. Calls without grad do not count."""
    modes: dict[str, bool | None] = {}
    for call in side.calls.values():
        if call.grad_enabled:
            known = modes.setdefault(call.path, call.training)
            if known is not call.training:
                modes[call.path] = None
    return modes
