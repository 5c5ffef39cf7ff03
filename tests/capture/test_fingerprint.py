"""The topology id tells graphs apart exactly where they differ; the shape id where only sizes do; keys stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import networkx as nx
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

from tests.capture.oracle import Built, Oracle
from tracer import Tape, record

WIDTH = 3
UNARY = {"tanh": torch.tanh, "exp": torch.exp, "clone": torch.clone, "double": lambda value: value * 2}
BINARY = {"add": torch.add, "mul": torch.mul, "maximum": torch.maximum}
CALLED = ("first", "second", "pair", "pair.0")

Recorded = tuple[str, str, nx.MultiDiGraph]
"""Topology id, shape id and graph of a step."""

Op = tuple[str, int, int]
"""What is done with which two of the values so far, counted back from the last."""


@dataclass(frozen=True)
class Program:
    """A forward pass: ops one after the other, then the sum of the last value, or of the last two."""

    ops: tuple[Op, ...]
    n_outputs: int


ops = st.tuples(st.sampled_from([*UNARY, *BINARY, *CALLED]), st.integers(0, 3), st.integers(0, 3))
programs = st.builds(Program, st.lists(ops, min_size=1, max_size=8).map(tuple), st.integers(1, 2))


class Machine(nn.Module):
    """Runs programs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.pair = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU())

    def forward(self, program: Program, data: torch.Tensor) -> torch.Tensor:
        values = [self.first(data)]
        for name, left, right in program.ops:
            a, b = values[-1 - left % len(values)], values[-1 - right % len(values)]
            if name in UNARY:
                values.append(UNARY[name](a))
            elif name in BINARY:
                values.append(BINARY[name](a, b))
            else:
                values.append(self.get_submodule(name)(a))
        return sum(value.sum() for value in values[-program.n_outputs :])


def canonical(built: Built) -> str:
    """Equal for isomorphic graphs: the nodes in the order in which a walk from the roots meets them, each with its
    name, the module that made it or the parameter that it is, and where its inputs stand."""
    order: dict[int, int] = {}
    pending = [root for root, _ in reversed(built.roots)]
    while pending:
        number = pending.pop()
        if number not in order:
            order[number] = len(order)
            pending += [child for _, (child, _) in sorted(built.nodes[number].inputs.items(), reverse=True)]
    lines = [str([(order[root], output_nr) for root, output_nr in built.roots])]
    for number in order:
        fact = built.nodes[number]
        inputs = [(slot, order[child], output_nr) for slot, (child, output_nr) in sorted(fact.inputs.items())]
        lines.append(f"{fact.op} {fact.path} {fact.parameter} {inputs}")
    return "\n".join(lines)


def train(model: nn.Module, losses: Sequence[tuple[object, torch.Tensor]]) -> tuple[list[Recorded], list[Built]]:
    """One step for each (what to run, on which data)."""
    oracle = Oracle({"": model})
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    built = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.tape"
        with oracle.watch(), record(path, strict=True, control=False):
            for what, data in losses:
                model(what, data).backward()
                optimizer.step()
                optimizer.zero_grad()
                built.append(oracle.take())
        with Tape(path) as tape:
            return [(step.topology_id, step.shape_id, tape.graph(step.index)) for step in tape.steps], built


quick = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@quick
@example([Program((("first", 0, 0),), 1), Program((("first", 0, 0), ("first", 1, 1)), 1)])  # a call that leads nowhere
@example(  # made in another order
    [
        Program((("tanh", 0, 0), ("exp", 0, 0), ("tanh", 2, 2), ("add", 0, 1)), 1),
        Program((("tanh", 0, 0), ("tanh", 1, 1), ("exp", 1, 1), ("add", 1, 0)), 1),
    ]
)
@given(st.lists(programs, min_size=2, max_size=8))
def test_steps_have_the_same_topology_id_just_where_their_graphs_are_the_same(some: list[Program]) -> None:
    data = torch.ones(2, WIDTH)
    recorded, built = train(Machine(), [(program, data) for program in (*some, some[0])])

    forms = [canonical(what) for what in built]
    ids = [topology for topology, _, _ in recorded]
    for at, form in enumerate(forms):
        for other in range(at):
            assert (form == forms[other]) == (ids[at] == ids[other]), (some[other % len(some)], some[at % len(some)])


@quick
@given(programs, st.integers(1, 4), st.integers(1, 4))
def test_another_batch_size_is_another_shape_and_the_same_topology(program: Program, rows: int, others: int) -> None:
    recorded, _ = train(Machine(), [(program, torch.ones(n, WIDTH)) for n in (rows, others)])

    (first, first_shape, _), (second, second_shape, _) = recorded
    assert first == second
    assert (first_shape == second_shape) == (rows == others)


LAYERS = {
    "linear": lambda: nn.Linear(WIDTH, WIDTH),
    "act": nn.ReLU,
    "norm": lambda: nn.LayerNorm(WIDTH),
    "turn": nn.Tanh,
}


class Stack(nn.Module):
    """Layers by name, one after the other, each called twice."""

    def __init__(self, layers: dict[str, str]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({name: LAYERS[kind]() for name, kind in layers.items()})

    def forward(self, _: object, data: torch.Tensor) -> torch.Tensor:
        for layer in [*self.layers.values(), *self.layers.values()]:
            data = layer(data) + 1
        return data.sum()


@quick
@given(st.lists(st.sampled_from(list(LAYERS)), min_size=1, max_size=5), st.sampled_from(list(LAYERS)), st.data())
def test_inserting_a_layer_leaves_every_other_key_as_it_was(kinds: list[str], kind: str, data: st.DataObject) -> None:
    names = [(f"layer_{at}", kind) for at, kind in enumerate(["linear", *kinds])]
    at = data.draw(st.integers(0, len(names)))
    longer = [*names[:at], ("inserted", kind), *names[at:]]
    keys = []
    for layers in (names, longer):
        recorded, _ = train(Stack(dict(layers)), [(None, torch.ones(2, WIDTH))])
        keys.append({key: data["parameter"] for key, data in recorded[0][2].nodes(data=True)})

    before, after = keys
    assert before.items() <= after.items()
    added = {key for key in after.keys() - before.keys() if not key.startswith("layers.inserted")}
    assert added <= {f"#0/AddBackward0:{number}" for number in range(2 * len(longer))}
