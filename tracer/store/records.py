"""What the training thread hands to the writer: one record a step, an event, a late scalar, measurements."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracer.model.records import Pass
from tracer.model.statistics import Statistics
from tracer.model.structure import ModuleCall, SourceLine, Structure


@dataclass(frozen=True, slots=True, eq=False)
class StructureRecord:
    """A structure with its ids; the same object stands for it in every step, so that it is encoded once."""

    structure: Structure
    topology_id: str
    shape_id: str


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step as it closes. `evaluated` are the calls of the forward-only passes that preceded it."""

    index: int
    structure: StructureRecord | None
    evaluated: tuple[ModuleCall, ...]
    phase: str
    optimizer: str | None
    started_ns: int
    duration_ns: int
    level: str
    passes: tuple[Pass, ...]
    scalars: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ScalarRecord:
    """A value that came after its step had closed."""

    step: int
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened while step `step` was being formed."""

    kind: str
    step: int
    time_ns: int
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """The source lines of a structure's nodes, in their order; they may come steps after the structure."""

    structure: StructureRecord
    lines: tuple[SourceLine | None, ...]


@dataclass(frozen=True, slots=True)
class StatisticsRecord:
    """The measurements of a step; from an accelerator they come after it closed."""

    step: int
    statistics: Statistics


Record = StepRecord | ScalarRecord | EventRecord | SourceRecord | StatisticsRecord
