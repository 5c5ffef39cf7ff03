"""Why the graphs of two steps differ: on real tapes of trainings that change for a known reason, on random graphs."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise, permutations
from pathlib import Path

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.model import trainings
from tests.model.graph_maker import GraphMaker, perceptron, unrolled
from tests.model.programs import programs
from tests.model.trainings import TRAININGS
from tracer import Cause, GraphDiff, Tape
from tracer.model.causes import causes
from tracer.model.diff import diff
from tracer.model.size_changes import differing_sizes, size_changes

LINES = Path(trainings.__file__).read_text().splitlines()


def line_of(comment: str) -> int:
    """Where the comment stands in the trainings' source."""
    return next(number for number, line in enumerate(LINES, 1) if line.endswith(f"# {comment}"))


@pytest.fixture(scope="module")
def tapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Tape]]:
    """The tape of a training, recorded when first asked for."""
    folder, made = tmp_path_factory.mktemp("causes"), dict[str, Tape]()

    def tape(name: str) -> Tape:
        if name not in made:
            torch.manual_seed(0)
            made[name] = TRAININGS[name](folder / f"{name}.tape")
        return made[name]

    yield tape
    for each in made.values():
        each.close()


def check_partition(found: GraphDiff, explained: tuple[Cause, ...]) -> None:
    """Every node and every call that differs belongs to exactly one cause, and is there what it is in the diff."""
    for part in ("added", "removed", "changed"):
        nodes = Counter(key for cause in explained for key in getattr(cause, part))
        assert nodes == Counter(iter(getattr(found, part)))
    assert Counter(key for cause in explained for key in cause.calls) == Counter(
        found.calls_added | found.calls_removed
    )


def check_sentences(explained: tuple[Cause, ...]) -> None:
    for cause in explained:
        assert cause.text and "\n" not in cause.text and "  " not in cause.text and not cause.text.startswith(" ")
        assert len(cause.text) < 300


HERE = "trainings.py"
EXPECTED = [
    ("reader", 2, 3, [f"{HERE}:{{the loop}} ran 5 times instead of 3: +32 nodes in embedding, cell"]),
    ("reader", 3, 2, [f"{HERE}:{{the loop}} ran 3 times instead of 5: −32 nodes in embedding, cell"]),
    # its last turns are new to the tape, so that their lines are not noted yet
    ("reader", 5, 6, [f"{HERE}:{{the loop}} ran 7 times instead of 5: +32 nodes in embedding, cell"]),
    (
        *("stochastic_depth", 2, 5),
        [f"{HERE}:{{around a block}} ran 4 times instead of 6: blocks.1, blocks.3 no longer run, −12 nodes"],
    ),
    (
        *("stochastic_depth", 5, 2),
        [f"{HERE}:{{around a block}} ran 6 times instead of 4: blocks.1, blocks.3 now run, +12 nodes"],
    ),
    ("routing", 2, 5, ["experts.3 ran instead of experts.0: +5 −5 nodes"]),
    ("routing", 5, 6, ["other sizes in experts.1 (3 → 6), experts.3 (5 → 2): shapes only"]),
    ("routing", 2, 6, ["experts.3 ran instead of experts.0: +5 −5 nodes", "batch 3 → 6: 2 nodes in experts.1"]),
    (
        *("early_exit", 2, 5),
        ["layers.3–5 no longer run: −15 nodes", "norm, head no longer run: −7 nodes", "exit now runs: +4 nodes"],
    ),
    ("dropout", 2, 5, ["Dropout missing in head: self.training is False"]),
    ("dropout", 5, 2, ["Dropout added in head: self.training is True"]),
    ("dropout", 5, 8, ["self.training is False in Regularised: no node differs"]),
    ("batch", 2, 3, ["batch 64 → 32: shapes only"]),
    ("features", 2, 3, ["size 12 → 15: shapes only"]),
    ("freezing", 2, 5, ["body is frozen: −5 nodes"]),
    ("freezing", 5, 2, ["body is no longer frozen: +5 nodes"]),
    ("freezing", 5, 6, ["head.bias is no longer trained: −1 node"]),
    ("detached", 2, 5, ["side ran, but no backward reached it: −4 nodes"]),
    ("detached", 5, 2, ["side is reached by a backward now: +4 nodes"]),
    (
        *("gan", 2, 3),
        [
            "Generator is reached by a backward now: +5 nodes",
            f"{HERE}:{{on what was made up}}–{{both}} no longer make BinaryCrossEntropyWithLogits, Add: −2 nodes",
            "Discriminator ran once instead of 2 times: −2 nodes",
        ],
    ),
    ("accumulation", 2, 5, ["4 backward passes instead of 2: +14 nodes"]),
    ("accumulation", 5, 2, ["2 backward passes instead of 4: −14 nodes"]),
    ("rewiring", 2, 5, ["Addmm in third is fed by Addmm in first instead of Addmm in second"]),
    ("checkpointing", 2, 5, []),
    ("checkpointing", 5, 8, ["body ran without grad inside CheckpointFunction: +1 −5 nodes"]),
    ("checkpointing", 8, 5, ["body no longer ran inside CheckpointFunction: +5 −1 nodes"]),
    ("functional", 2, 5, [f"{HERE}:{{a turn}} ran 3 times instead of 2: +2 nodes in Functional"]),
    ("functional", 5, 8, [f"{HERE}:{{scaled}} now makes Sum, Mul: +2 nodes in Functional"]),
    (
        *("functional", 2, 8),
        [
            f"{HERE}:{{scaled}} now makes Sum, Mul: +2 nodes in Functional",
            f"{HERE}:{{a turn}} ran 3 times instead of 2: +2 nodes in Functional",
        ],
    ),
    ("evaluation", 1, 2, ["Sequential: forward-only pass ×4 that the first step lacks"]),
    ("evaluation", 2, 3, ["Sequential: forward-only pass ×4 that the second step lacks"]),
    ("precision", 2, 5, ["dtype float32 → bfloat16: 7 nodes, +4 casts"]),
    ("frozen_layers", 2, 4, ["0–3 are frozen: −10 nodes"]),
    ("transformer", 2, 4, ["Dropout ×6 missing in layers, +2 −42 nodes: self.training is False"]),
    ("recurrent", 1, 2, [f"{HERE}:{{a turn of both}} ran 3 times instead of 4: −4 nodes in cell and Recurrent"]),
    ("recurrent", 0, 1, [f"{HERE}:{{a turn of both}} ran 4 times instead of 2: +8 nodes in cell and Recurrent"]),
    ("shared", 2, 3, ["other sizes in experts.0 (4 → 2), experts.1 (1 → 3): shapes only"]),
    ("cast", 2, 5, ["dtype float32 → float64: 11 nodes"]),
]


@pytest.mark.parametrize(
    ("name", "first", "second", "expected"), EXPECTED, ids=[f"{name}-{i}-{j}" for name, i, j, _ in EXPECTED]
)
def test_each_cause_is_told_in_one_sentence(
    tapes: Callable[[str], Tape], name: str, first: int, second: int, expected: list[str]
) -> None:
    tape = tapes(name)
    found = tape.diff(first, second)
    explained = causes(tape.graph(first), tape.graph(second), found)
    check_partition(found, explained)
    comments = ("the loop", "around a block", "a turn", "a turn of both", "scaled", "on what was made up", "both")
    lines = {comment: line_of(comment) for comment in comments}
    assert [cause.text for cause in explained] == [text.format(**lines) for text in expected]


@pytest.mark.parametrize("name", TRAININGS)
def test_every_node_that_differs_between_any_two_steps_has_one_cause(tapes: Callable[[str], Tape], name: str) -> None:
    tape = tapes(name)
    graphs = {step.shape_id: tape.graph(step.index) for step in tape.steps}
    for before, after in permutations(graphs.values(), 2):
        found = diff(before, after)
        explained = causes(before, after, found)
        check_partition(found, explained)
        check_sentences(explained)
        assert explained


@pytest.mark.parametrize("name", TRAININGS)
def test_steps_of_one_graph_have_no_cause_that_names_a_node(tapes: Callable[[str], Tape], name: str) -> None:
    tape = tapes(name)
    for first, second in pairwise(tape.steps):
        if first.shape_id == second.shape_id:
            assert not any(cause.nodes for cause in tape.causes(first.index, second.index))


def test_paths_are_told_below_the_run_s_folder(tapes: Callable[[str], Tape]) -> None:
    tape = tapes("reader")
    folder = tape.meta["folder"]
    [cause] = tape.causes(2, 3)
    assert cause.source is not None and cause.source.line == line_of("the loop")
    path = Path(cause.source.file)
    shown = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
    assert cause.text.startswith(f"{shown}:{cause.source.line} ran")
    assert (cause.kind, cause.module, cause.before, cause.after) == ("repeated", "", 3, 5)


def test_calls_from_several_lines_are_not_put_down_to_one(tapes: Callable[[str], Tape]) -> None:
    """The discriminator is called in a line for what is real and in one for what is not: neither ran twice."""
    cause = next(cause for cause in tapes("gan").causes(2, 3) if cause.kind == "repeated")
    assert cause.text.startswith("Discriminator ran once instead of 2 times")
    assert cause.source is not None and cause.source.line == line_of("on what was made up")


def complete(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """With the attributes that a tape's graph has."""
    for name in ("dtype", "device"):
        nx.set_node_attributes(graph, "", name)
    return graph


@given(programs(), programs())
def test_every_node_of_random_graphs_has_one_cause(first: nx.MultiDiGraph, second: nx.MultiDiGraph) -> None:
    before, after = complete(first), complete(second)
    found = diff(before, after)
    explained = causes(before, after, found)
    check_partition(found, explained)
    check_sentences(explained)


@given(programs())
def test_a_graph_differs_from_itself_for_no_cause(graph: nx.MultiDiGraph) -> None:
    complete(graph)
    assert causes(graph, graph, diff(graph, graph)) == ()


@given(st.integers(1, 8), st.integers(1, 8))
def test_a_loop_is_one_cause_however_often_it_ran(first: int, second: int) -> None:
    before, after = complete(unrolled(first)), complete(unrolled(second))
    explained = causes(before, after, diff(before, after))
    assert [(cause.kind, cause.before, cause.after) for cause in explained] == (
        [] if first == second else [("repeated", first, second)]
    )


def test_layers_that_are_gone_are_one_cause_and_what_they_fed_is_in_it() -> None:
    before, after = complete(perceptron(5)), complete(perceptron(2))
    explained = causes(before, after, diff(before, after))
    assert [cause.text for cause in explained] == ["fc2, fc3, fc4 no longer run: −12 nodes"]
    assert explained[0].changed == ("NllLossBackward0:0",)


def test_two_nodes_of_one_name_that_take_turns_are_told_apart_in_words() -> None:
    def graph(of: int) -> nx.MultiDiGraph:
        maker = GraphMaker()
        root = maker.call("", "Net")
        ops = [maker.op("MulBackward0", [maker.parameter("weight")], root) for _ in range(2)]
        maker.op("AddBackward0", [ops[of]], root)
        return complete(maker.graph)

    explained = causes(graph(0), graph(1), diff(graph(0), graph(1)))
    assert [cause.text for cause in explained] == ["Add in Net is fed by another Mul in Net than before"]


def test_a_deep_graph_is_explained_without_recursion() -> None:
    before, after = complete(unrolled(10_000)), complete(unrolled(10_001))
    explained = causes(before, after, diff(before, after))
    assert [cause.text for cause in explained] == ["cell ran 10001 times instead of 10000: +2 nodes"]


def test_sizes_that_change_together_are_one_change() -> None:
    shapes = {
        "a": ([[64, 10]], [[32, 10]]),
        "b": ([[640, 3]], [[320, 3]]),
        "c": ([[5]], [[7]]),
        "d": ([[2]], [[2, 1]]),
    }
    changes, other = size_changes(shapes)
    assert [(change.nodes, change.pairs, change.is_batch) for change in changes] == [
        (("a", "b"), ((64, 32),), True),
        (("c",), ((5, 7),), True),
    ]
    assert other == ["d"]


SHAPES = st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=2)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(SHAPES, SHAPES)))
def test_every_node_is_in_one_change_of_sizes_or_of_another_form(
    shapes: dict[str, tuple[list[list[int]], list[list[int]]]],
) -> None:
    differing = {key: both for key, both in shapes.items() if both[0] != both[1]}
    changes, other = size_changes(differing)
    assert sorted([key for change in changes for key in change.nodes] + other) == sorted(differing)
    for change in changes:
        for key in change.nodes:
            pairs = {pair for _, pair in differing_sizes(*differing[key])}
            assert all(
                pair in change.pairs or any(pair[0] * of[1] == pair[1] * of[0] for of in change.pairs) for pair in pairs
            )
