"""What is found out about an exception that ends the training: where it was raised, and which node or module call it
is on the tape. The error itself, its traceback and what hangs on them are left as they are."""

from dataclasses import asdict

import torch

from tracer.capture.calls import CallLog, Raised
from tracer.capture.ended_step import EndedStep
from tracer.capture.entries import EXIT
from tracer.capture.failed_node import failed_node
from tracer.capture.frame_facts import frame_facts, source_facts, variable_facts
from tracer.capture.frames import Frames
from tracer.capture.locals import tensors_in_locals
from tracer.capture.place import Place, place_of
from tracer.capture.step_graph import StepGraph
from tracer.capture.unfinished import unfinished_edges
from tracer.capture.walk import AccumulateGrad
from tracer.model.call_keys import call_keys
from tracer.model.structure import to_networkx


class PostMortem:
    """Of one exception; to be let go of soon, as it holds what the traceback does. `facts` are the event's."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.place: Place = place_of(error)
        self.facts: dict[str, object] = {"where": self.place.where}
        self._frames = Frames()

    def look_at_frames(self) -> None:
        """The user's frames, and the innermost of them as the place in the code."""
        spots = self._frames.of_user(self.place.frames)
        self.facts["source"] = source_facts(spots[-1], self._frames) if spots else None
        self.facts["frames"] = frame_facts(spots, self._frames)
        if self.place.where == "forward":
            self.facts["inputs"] = variable_facts(self.place.inputs)

    def complete(self, graph: StepGraph) -> bool:
        """Have the part of the step's graph recorded that no backward went through; whether there is any."""
        if self.place.run is not None or self.place.where == "optimizer":
            return False
        edges = unfinished_edges((frame for frame, _ in self.place.frames), graph.log.since)
        if edges:
            graph.record_unfinished(edges)
        return bool(edges)

    def identify(self, ended: EndedStep, graph: StepGraph) -> None:
        """Find the node and the module call on the tape, before the call log is cleared."""
        if self.place.where == "backward":
            self._identify_node(ended, graph)
        if self.place.module is not None and self.facts.get("node") is None:
            self._identify_call(ended, graph.log, self.place.module)

    def _identify_node(self, ended: EndedStep, graph: StepGraph) -> None:
        hooked = (tensor.grad_fn for tensor in self._tensors_with_hooks())
        guess = failed_node(self.place, str(self._error), graph.ran_before(), hooked)
        if guess is None:
            return
        node = guess.node
        self.facts["is_certain"] = guess.is_certain
        if type(node) is AccumulateGrad:
            name = ended.parameter(node.variable)
            self.facts |= {"node": name, "op": "AccumulateGrad", "parameter": name}
            return
        made = ended.node_made_as(node._sequence_nr())
        self.facts["op"] = node.name()
        if made is not None:
            call = None if made.call is None else ended.structure.structure.calls[made.call]
            line = graph.line(made.key)
            self.facts |= {
                "node": made.key,
                "module": made.module,
                "call": None if call is None else call.key,
                "made_at": None if line is None else asdict(line),
            }

    def _tensors_with_hooks(self) -> list[torch.Tensor]:
        if not self.place.is_hooked:
            return []
        tensors = (tensor for frame, _ in self.place.frames for tensor in tensors_in_locals(frame))
        return [tensor for tensor in tensors if type(tensor) is torch.Tensor and tensor._backward_hooks]

    def _identify_call(self, ended: EndedStep, log: CallLog, module: torch.nn.Module) -> None:
        token = log.names.tokens.get(id(module))
        if token is None:
            self.facts["module"] = type(module).__name__
            return
        path, class_name = log.names.module_name(token)
        self.facts |= {"module": path, "class": class_name}
        if log.raised:
            tape = to_networkx(ended.structure.structure, ended.evaluated)
            calls, at = tape.graph["module_calls"], _place_among_calls(ended, log.raised[-1], log)
            while at is not None and (calls[at]["path"], calls[at]["class"]) != (path, class_name):
                at = calls[at]["parent"]
            if at is not None:
                self.facts["call"] = call_keys(tape)[at]


def _place_among_calls(ended: EndedStep, raised: Raised, log: CallLog) -> int | None:
    """Which of the step's `module_calls` raised."""
    if raised.evaluation is None:
        at = ended.call_at(raised.start)
        return None if at is None else at + len(ended.evaluated)
    offset = 0
    for tokens in log.evaluations:
        if tokens == raised.evaluation:
            return offset + sum(token != EXIT for token in tokens[: raised.start])
        offset += len(tokens) // 2
    return None
