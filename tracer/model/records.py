"""What a tape says of a step, apart from its graph: frozen records, shared by the capture, the store and the app."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pass:
    """One backward of a step, or a run of equal forward-only evaluations before it.

    `kind` is "backward", "grad" (`torch.autograd.grad`), "forward" (no graph) or "partial": a graph that was built, but
    the training ended before a backward ran through it; `loss` is the root's value where
    it is a single number; `count` is how often a forward-only evaluation repeated.
    """

    kind: str
    loss: float | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One iteration of training. Indices start at 0; `scalars` holds the last value logged under each name.

    `phase` is "train"; "eval" for the one step of a run that trained nothing; "partial" for the last step of a run that
    an exception ended in its middle: what there is of its graph, and of its optimizer's update nobody knows how much.
    """

    index: int
    topology_id: str
    shape_id: str
    phase: str
    optimizer: str | None
    started_ns: int
    duration_secs: float
    scalars: Mapping[str, float]
    level: str
    passes: tuple[Pass, ...]


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What a condition may ask of a step that just closed. The ids are empty where its graph was not captured."""

    index: int
    topology_id: str
    shape_id: str
    scalars: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `step` is the step being formed then, or for what happens between two steps (stopped,
    continued, passed, level) the one that just closed; `time_ns` is Unix time.

    Kinds: started (data: level, every), stopped (reason, condition, text), passed (a condition met with nobody
    attached), continued, level (level, every), not_finite (what: "loss" or "gradient", value, origin: "op",
    "parameter", "input" or None, node, op, module, call, parameter, source), exception (see below), capture_failed
    (hook, traceback), evaluated (passes, modules), closed (state).

    An exception ended the training, in the step that is on the tape as a partial one, or where none had begun, before
    the step of that index: type, message, traceback; where: "forward", "backward", "optimizer" or "outside"; source,
    the user's line; frames, the user's, innermost last (file, line, function, locals: name, type, and what is known of
    value, length, shape, dtype, device, requires_grad, nans, infs); and as far as they are known node, is_certain (else
    one close to it may be meant), op, made_at (the line that made it), parameter, module, class, call, inputs (of the
    module, like locals), optimizer.
    """

    id: int
    kind: str
    step: int
    time_ns: int
    data: Mapping[str, Any]
