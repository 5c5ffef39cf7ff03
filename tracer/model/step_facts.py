"""What a condition may ask of a step: its ids, its scalars, what ran in it, its gradients."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from tracer.model.expression import History
from tracer.model.structure import ModuleCall, Structure

_T = TypeVar("_T")
_MAX_KEPT = 64


class Gradients(Protocol):
    """The gradients as they are now; reading them takes as long as the model is large, and waits for an accelerator."""

    def norm(self) -> float | None:
        """The 2-norm over all parameters that the optimizers hold; None where there is no gradient at all."""

    def zero(self) -> frozenset[str]:
        """The names of the parameters whose gradient is missing, or zero throughout."""


class NoGradients:
    def norm(self) -> float | None:
        return None

    def zero(self) -> frozenset[str]:
        return frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class StepFacts:
    """A step that is about to be closed, or just was. The ids are empty, and there is no structure, where its graph was
    not captured; `is_new` says that no earlier step of the run had its topology.

    `scalars` are those known by now, read as they are asked for; `history` those of the steps before. `evaluated` are
    the calls of the forward-only passes before it. `elapsed_secs` counts from the beginning of the recording.
    """

    index: int
    topology_id: str
    shape_id: str
    scalars: Mapping[str, float]
    history: History = field(default_factory=dict)
    structure: Structure | None = None
    evaluated: tuple[ModuleCall, ...] = ()
    is_new: bool = False
    elapsed_secs: float = 0.0
    gradients: Gradients = field(default_factory=NoGradients)


Test = Callable[[StepFacts | None, StepFacts], str | None]
"""Asked of each step, with the last step before it that had a graph: the sentence that says what is met ("the loss is
NaN"), "" where it is not, None where it cannot be known yet."""


class PerStructure(Generic[_T]):
    """What follows from a structure alone, worked out once for each of the last few."""

    def __init__(self, work_out: Callable[[Structure], _T]) -> None:
        self._work_out = work_out
        self._known: dict[int, tuple[Structure, _T]] = {}

    def __call__(self, structure: Structure) -> _T:
        known = self._known.get(id(structure))
        if known is not None:
            return known[1]
        if len(self._known) >= _MAX_KEPT:
            del self._known[next(iter(self._known))]
        found = self._work_out(structure)
        self._known[id(structure)] = structure, found
        return found
