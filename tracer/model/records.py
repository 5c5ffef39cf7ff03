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

    @property
    def lacks_backward(self) -> bool:
        """Whether the training ended before a backward of the step began."""
        return self.phase == "partial" and all(one.kind in ("forward", "partial") for one in self.passes)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `step` is the step being formed then, or for what happens between two steps (stopped,
    continued, hit, level, hyperparameter, trainable) the one that just closed; `time_ns` is Unix time.

    Kinds, and what `data` has:
    started (level, every), level (level, every, before), closed (state), evaluated (passes, modules),
    not_finite (what: "loss" or "gradient", value, origin: "op", "parameter", "input" or None, node, op, module, call,
    parameter, source; inputs and output as in `tracer/model/not_finite.py`; without an origin, late: the loss was known
    when its graph was gone), capture_failed (hook, traceback),
    exception (see below);
    stopped (reason: "pause", "step", "breakpoint" or "exception", text, breakpoints: their ids, moment, optimizers: the
    name of each, and of each of its groups the hyperparameters and n_parameters), continued,
    breakpoints (breakpoints: those set from here on, as `breakpoints.to_dict` gives them),
    hit, a breakpoint whose condition was met (breakpoint, condition, text, hits, acted: its hit condition was met too,
    log: the line it wrote, moment, attended: false where it would have stopped but nobody was attached),
    hyperparameter (optimizer, group, name, before, after), trainable (parameters, after),
    refused, a change that could not be made (command, error),
    over_budget, once: the tape is larger than was asked for, though all was thinned that may be (max_bytes, text),
    disk, the tape could not be written (text, seconds, first and last: the steps that were appended meanwhile, or first
    alone: recording ended before that step).
    `moment` is "before the optimizer" or "after the step".

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
