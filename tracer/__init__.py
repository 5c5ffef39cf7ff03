"""Tapescope's library: record a training run, read the tape. Importing it imports neither torch nor Qt."""

from tracer.errors import ControlError, ExportError, QueryError, TapeError, TapescopeError, UsageError
from tracer.model.causes import Cause
from tracer.model.diff import GraphDiff
from tracer.model.records import Event, Pass, Step
from tracer.recording import log, record, step
from tracer.store.reader import Batch, Tape

__all__ = [
    "Batch",
    "Cause",
    "ControlError",
    "Event",
    "ExportError",
    "GraphDiff",
    "Pass",
    "QueryError",
    "Step",
    "Tape",
    "TapeError",
    "TapescopeError",
    "UsageError",
    "log",
    "record",
    "step",
]
