"""From the passes and the call log of one step to its `Structure`: keys, modules, edges, outputs."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tracer.capture.calls import EXIT, Entries, module_calls
from tracer.capture.names import Names
from tracer.capture.passes import RecordedPass, RootFacts
from tracer.capture.walk import LEAF_NUMBER, NodeFacts
from tracer.model.structure import Edge, Inside, ModuleCall, Node, Structure

_BACKWARD_HOOK = "BackwardHookFunctionBackward"
"""What a full backward hook adds before a module's forward and after it, there after our own hook has left the call."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One node of the step. `inputs` are (index of the found source, output_nr, input_nr)."""

    facts: NodeFacts
    pass_index: int
    number: int
    inputs: tuple[tuple[int, int, int], ...]

    @property
    def order(self) -> tuple[bool, int]:
        """Ops as they were made, then leaves by their code, those without a name last."""
        leaf = self.facts.leaf
        return (False, self.number) if leaf is None else (True, leaf if leaf >= 0 else (1 << 62) - leaf)


@dataclass(frozen=True, slots=True)
class _Output:
    source: int
    root: RootFacts
    kind: str
    pass_index: int


def assemble(
    passes: Sequence[RecordedPass], log: Entries, names: Names, hidden: Collection[int] = ()
) -> tuple[Structure, list[int]]:
    """The structure of a step: the nodes that its passes reached, each once, and the calls that the log tells of; with
    it the nodes' sequence numbers, `LEAF_NUMBER` where they have none.

    The sequence numbers of the log and of the passes have the same base. `hidden` are the codes of parameters that were
    reached by what is not in the graph.
    """
    calls, innermost = module_calls(log.tokens, names)
    found, outputs = _merge(passes)
    order = sorted(range(len(found)), key=lambda at: found[at].order)
    place = {at: index for index, at in enumerate(order)}
    make = _NodeMaker(calls, innermost, log, names)
    nodes = [make.node(found[at]) for at in order]
    edges = [
        Edge(place[source], place[at], output_nr, input_nr)
        for at in order
        for source, output_nr, input_nr in found[at].inputs
    ]
    for output in outputs:
        edges.append(Edge(place[output.source], len(nodes), output.root.output_nr, 0))
        nodes.append(make.output(output))
    reached = {node.parameter for node in nodes} | {names.parameter_name(code) for code in hidden}
    numbers = [found[at].number for at in order] + [LEAF_NUMBER] * len(outputs)
    unreached = tuple(sorted(names.trainable() - reached))
    return Structure(tuple(nodes), tuple(edges), tuple(calls), unreached, tuple(make.insides)), numbers


def _merge(passes: Sequence[RecordedPass]) -> tuple[list[_Found], list[_Output]]:
    """The nodes of all passes. A node that an earlier pass reached is known by its sequence number and name, a leaf
    by its code."""
    found: list[_Found] = []
    outputs: dict[tuple[int, int], _Output] = {}
    earlier: dict[tuple[str, int], int] = {}
    for pass_index, recorded in enumerate(passes):
        identities = [
            (facts.name, number if facts.leaf is None else facts.leaf)
            for facts, number in zip(recorded.nodes, recorded.numbers, strict=True)
        ]
        fresh = [at for at, identity in enumerate(identities) if identity not in earlier]
        index = {at: len(found) + offset for offset, at in enumerate(fresh)}
        index.update((at, earlier[identity]) for at, identity in enumerate(identities) if identity in earlier)
        for at in fresh:
            facts = recorded.nodes[at]
            inputs = tuple((index[source], output_nr, slot) for source, output_nr, slot in facts.inputs)
            found.append(_Found(facts, pass_index, recorded.numbers[at], inputs))
        earlier.update((identities[at], index[at]) for at in fresh)
        for root in recorded.roots:
            source = index[root.position]
            outputs.setdefault((source, root.output_nr), _Output(source, root, recorded.kind, pass_index))
    return found, list(outputs.values())


class _NodeMaker:
    """Gives keys: `module path # call / op name : k`, k counting that op in that call in the order of creation."""

    def __init__(
        self, calls: Sequence[ModuleCall], innermost: Sequence[int | None], log: Entries, names: Names
    ) -> None:
        self._calls = calls
        self._innermost = innermost
        self._log = log
        self._names = names
        self._counts: Counter[str] = Counter()
        self.insides: list[Inside] = []

    def node(self, found: _Found) -> Node:
        return self._op(found) if found.facts.leaf is None else self._leaf(found, found.facts.leaf)

    def output(self, output: _Output) -> Node:
        stem = "loss" if output.kind == "backward" and not output.root.shape else "output"
        root = output.root
        key = self._numbered(stem, first=stem)
        return Node(key, "output", stem, None, None, output.pass_index, (root.shape,), root.dtype, root.device)

    def _op(self, found: _Found) -> Node:
        facts = found.facts
        call = self._made_in(found)
        stem = facts.name if call is None else f"{self._calls[call].key}/{facts.name}"
        module = None if call is None else self._calls[call].path
        key = self._numbered(stem)
        return Node(
            key,
            "op",
            facts.name,
            call,
            module,
            found.pass_index,
            facts.shapes,
            facts.dtype,
            facts.device,
            facts.opaque,
            inside=None if facts.inside is None else self._place_inside(facts.inside),
        )

    def _place_inside(self, inside: Inside) -> int:
        if inside not in self.insides:
            self.insides.append(inside)
        return self.insides.index(inside)

    def _made_in(self, found: _Found) -> int | None:
        """The innermost call when the node was made."""
        entry = bisect_right(self._log.marks, found.number) - 1  # the last entry of the log before the node was made
        is_left = entry >= 0 and self._log.tokens[entry] == EXIT and self._log.marks[entry] == found.number
        if is_left and found.facts.name == _BACKWARD_HOOK:
            entry -= 1
        return self._innermost[entry] if entry >= 0 else None

    def _leaf(self, found: _Found, code: int) -> Node:
        facts = found.facts
        name = self._names.parameter_name(code)
        key = name if name is not None else self._numbered("leaf")
        module = None if name is None else name.rpartition(".")[0]
        return Node(
            key,
            "parameter",
            facts.name,
            None,
            module,
            found.pass_index,
            facts.shapes,
            facts.dtype,
            facts.device,
            parameter=name,
        )

    def _numbered(self, stem: str, first: str | None = None) -> str:
        number = self._counts[stem]
        self._counts[stem] += 1
        return first if first is not None and number == 0 else f"{stem}:{number}"
