"""The parts of the app that need no window: timelines, curves, terminals, texts, demos."""

from pathlib import Path

import networkx as nx
import pytest
from PySide6.QtCore import QRect

from gui import facts
from gui import format as fmt
from gui.demos import DEFAULT, find_demo, find_demos
from gui.docks.changes import change_blocks
from gui.names import Names
from gui.process import Launch, new_tape_path, run_command
from gui.terminal import Terminal
from gui.windows.placement import fitted_into
from tracer import GraphDiff, Tape
from tracer.errors import UsageError


@pytest.mark.parametrize(
    ("pieces", "finished", "current"),
    [
        ([b"one\ntwo"], ["one"], "two"),
        ([b"\x1b[31mred\x1b[0m\n"], ["red"], ""),
        ([b"\x1b[3", b"1mred\n"], ["red"], ""),
        ([b" 10%", b"\r 20%", b"\r100%\n"], ["100%"], ""),
        ([b"dos\r\n"], ["dos"], ""),
        ([b"dos\r", b"\n"], ["dos"], ""),
        (["é".encode()[:1], "é".encode()[1:] + b"\n"], ["é"], ""),
        ([b"\xff\n"], ["\ufffd"], ""),
        ([b"\x1b]0;title\x07text\n"], ["text"], ""),
    ],
)
def test_terminal_shows_what_a_terminal_would(pieces: list[bytes], finished: list[str], current: str) -> None:
    terminal = Terminal()
    outputs = [terminal.feed(piece) for piece in pieces]
    assert [line for output in outputs for line in output.finished] == finished
    assert outputs[-1].current == current


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0007445, "0.0007445"),
        (1204, "1,204"),
        (2.18312, "2.183"),
        (-0.5, "−0.5"),
        (-1204.0, "−1,204"),
        (1e-9, "1.000e−09"),
    ],
)
def test_numbers_read_well(value: float, text: str) -> None:
    assert fmt.number(value) == text


@pytest.mark.parametrize(("secs", "text"), [(5e-6, "5 µs"), (0.0715, "71.5 ms"), (3.0, "3 s"), (600, "10 min")])
def test_durations_read_well(secs: float, text: str) -> None:
    assert fmt.duration(secs) == text


@pytest.mark.parametrize(
    ("rect", "fitted"),
    [
        ((0, 0, 1440, 900), (0, 40, 1440, 860)),
        ((-900, -50, 800, 600), (0, 40, 800, 600)),
        ((5000, 3000, 800, 600), (640, 300, 800, 600)),
        ((100, 200, 800, 600), (100, 200, 800, 600)),
    ],
)
def test_a_window_stands_on_its_screen_whole_with_its_title(
    rect: tuple[int, int, int, int], fitted: tuple[int, int, int, int]
) -> None:
    assert fitted_into(QRect(*rect), QRect(0, 0, 1440, 900)) == QRect(*fitted)


def test_every_demo_has_a_title_and_a_text() -> None:
    demos = find_demos()
    assert demos[0].name == DEFAULT
    assert all(demo.title and demo.text for demo in demos)


def test_an_unknown_demo_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="mnist_mlp"):
        find_demo("nonsense")


def test_a_new_tape_never_replaces_one(tmp_path: Path) -> None:
    first = new_tape_path(tmp_path, Path("train.py"))
    first.touch()
    assert new_tape_path(tmp_path, Path("train.py")) != first


def test_the_script_gets_its_own_arguments_last(tmp_path: Path) -> None:
    launch = Launch(tmp_path / "train.py", ("--lr", "1"), tmp_path / "t.tape", ("--max-steps", "5"))
    assert run_command(launch)[-3:] == [str(tmp_path / "train.py"), "--lr", "1"]


def test_every_node_call_and_link_of_a_real_graph_has_facts(recorded_tape: Path) -> None:
    with Tape(recorded_tape) as tape:
        graph, step = tape.graph(0), tape.steps[0]
    for key in graph:
        assert facts.node_facts(graph, key)
    for call in graph.graph["module_calls"]:
        assert facts.call_facts(graph, call["key"])
    for source, target in graph.edges():
        assert facts.link_facts(graph, (source,), (target,))[0].title.startswith("Edges")
    assert any(fact.name == "loss" for section in facts.step_facts(step, graph, 0) for fact in section.facts)


def test_inputs_and_outputs_of_a_node_lead_to_its_neighbours(recorded_tape: Path) -> None:
    with Tape(recorded_tape) as tape:
        graph: nx.MultiDiGraph = tape.graph(0)
    key = next(key for key in graph if graph.in_degree(key) > 1 and graph.out_degree(key) > 0)
    keys = {fact.key for section in facts.node_facts(graph, key) for fact in section.facts if fact.key}
    assert set(graph.predecessors(key)) | set(graph.successors(key)) <= keys


def test_outputs_of_a_module_call_lie_outside_it(recorded_tape: Path) -> None:
    with Tape(recorded_tape) as tape:
        graph = tape.graph(0)
    inside = {key for key, call in graph.nodes(data="call_key") if call == "cell#0"}
    sections = {section.title.partition(" (")[0]: section for section in facts.call_facts(graph, "cell#0")}
    outside = {fact.key for title in ("Inputs", "Outputs") for fact in sections[title].facts}
    assert outside
    assert not outside & inside


@pytest.mark.parametrize(("call", "parameters"), [("cell#0", 4), ("output#0", 2), ("#0", 7)])
def test_the_parameters_of_a_module_call_are_those_its_ops_use(recorded_tape: Path, call: str, parameters: int) -> None:
    """A cell that is called again and again counts its weights once."""
    with Tape(recorded_tape) as tape:
        sections = facts.call_facts(tape.graph(0), call)
    content = next(section for section in sections if section.title == "Content")
    assert {fact.name: fact.value for fact in content.facts}["parameters"] == str(parameters)


def test_changes_are_listed_by_kind() -> None:
    graph = nx.MultiDiGraph(
        module_calls=[
            {"path": "", "class": "Net", "grad_enabled": True},
            *({"path": "cell", "class": "LSTMCell", "grad_enabled": True} for _ in range(2)),
        ]
    )
    diff = GraphDiff(frozenset({"#0/ReluBackward0:0"}), frozenset(), {"cell#0": {"shapes": ([[1]], [[2]])}})
    blocks = change_blocks(diff, (3, 4), Names(graph))
    assert [(block.title, block.rows[0].texts[0], block.rows[0].key) for block in blocks] == [
        ("Step 3 → step 4", "1 added · 1 changed", ""),
        ("Added (1)", "Net · Relu", "#0/ReluBackward0:0"),
        ("Changed (1)", "cell #0", "cell#0"),
    ]
    (same,) = change_blocks(GraphDiff(frozenset(), frozenset(), {}), (3, 4), Names(graph))
    assert same.rows[0].texts[0] == "No change"


def test_no_bare_key_of_the_model_is_shown(recorded_tape: Path) -> None:
    with Tape(recorded_tape) as tape:
        graph = tape.graph(0)
    sections = facts.call_facts(graph, "cell#0")
    assert ("called by", "Reader", "#0") in [
        (fact.name, fact.value, fact.key) for section in sections for fact in section.facts
    ]
    every = [section for call in graph.graph["module_calls"] for section in facts.call_facts(graph, call["key"])]
    assert not [fact for section in every for fact in section.facts if fact.value.startswith("#")]


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 30, "3 GiB")])
def test_sizes_read_well(size: float, text: str) -> None:
    assert fmt.size(size) == text


@pytest.mark.parametrize(("flops", "text"), [(192, "192 FLOP"), (5120, "5.12 kFLOP"), (2.5e12, "2.5 TFLOP")])
def test_flops_read_well(flops: float, text: str) -> None:
    assert fmt.flops(flops) == text
