"""Source lines against the text of the source itself: each op stands on a line of its own as `name = …`, and `ast`
says where that is."""

import ast
import gc
import importlib.util
import itertools
import linecache
import runpy
import textwrap
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from tests.capture.node_hook import HAS_HOOK, needs_hook
from tracer import Tape, record
from tracer.capture.guard import guarded
from tracer.capture.node_creation import on_node_creation
from tracer.capture.sources import Sources
from tracer.model.structure import SourceLine

unused = itertools.count()

HELPER = """
    import torch

    def twice(x):
        doubled = x * 2
        return {"doubled": doubled}

    cube = lambda x: {"cubed": x**3}
"""

MODEL = """
    import torch
    from torch import nn
    from torch.nn import functional as F
    from torch.utils.checkpoint import checkpoint
    from helper import cube, twice

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, gradient):
            (x,) = ctx.saved_tensors
            return 2 * gradient * x

    square = Square.apply

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            lines = {}
            lines["projected"] = projected = self.linear(
                x
            )
            lines["active"] = active = F.gelu(projected)
            lines["shifted"] = shifted = active + 1
            return shifted, lines

    def inner(x):
        recomputed = x.sin()
        return recomputed

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Block()
            self.rnn = nn.GRU(4, 4)

        def forward(self, x):
            x, lines = self.block(x)
            own = Square.apply(x)
            lines["own"] = own
            lines["both"] = both = own @ own.T
            lines["listed"] = listed = [value.exp() for value in [both]][0]
            lines["held"] = held = checkpoint(inner, listed, use_reentrant=True)
            sequence, _ = self.rnn(held[None])
            lines["sequence"] = sequence
            copied = sequence * 1
            copied[0] = (
                1
            )
            lines["copied"] = copied
            lines.update(twice(sequence))
            lines.update(cube(copied))
            return sequence[0], lines

    def loss_of(net, x):
        predicted, lines = net(x)
        loss = predicted.square().mean()
        lines["loss"] = loss
        return loss, lines
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The user's project: a model and a helper in another file."""
    (tmp_path / "helper.py").write_text(textwrap.dedent(HELPER))
    (tmp_path / "user_model.py").write_text(textwrap.dedent(MODEL))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "helper", raising=False)
    spec = importlib.util.spec_from_file_location("user_model", tmp_path / "user_model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Expected(ast.NodeVisitor):
    """Where each name is assigned last: its line and the qualified name of the function around it."""

    def __init__(self, path: Path) -> None:
        self.lines: dict[str, SourceLine] = {}
        self._path = path
        self._scope: list[str] = []
        self.visit(ast.parse(path.read_text()))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._within(node, node.name)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._within(node, node.name, "<locals>")

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            for name in ast.walk(target):
                if isinstance(name, ast.Name):  # the last, for what is written in place
                    self.lines[name.id] = self._here(node.lineno)

    def _within(self, node: ast.AST, *scope: str) -> None:
        self._scope += scope
        self.generic_visit(node)
        del self._scope[-len(scope) :]

    def _here(self, line: int) -> SourceLine:
        function = ".".join(self._scope).removesuffix(".<locals>")
        return SourceLine(str(self._path), line, function or "<module>")


def strict_guard(hook: Callable[..., None]) -> Callable[..., None]:
    def failed(name: str, text: str) -> None:
        raise AssertionError(text)

    return guarded(hook, failed, strict=True)


@pytest.fixture(params=[pytest.param(True, id="by node", marks=needs_hook), pytest.param(False, id="by function")])
def sources(request: pytest.FixtureRequest) -> Sources:
    return Sources(by_node=request.param)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """PyTorch's own functions and stacks are as they were."""
    graph = torch._C._autograd
    names = [name for name in ("_push_node_creation_hook", "_pop_node_creation_hook") if hasattr(graph, name)]
    before = [getattr(graph, name) for name in names], torch.autograd.Function.__dict__["apply"]
    yield
    assert ([getattr(graph, name) for name in names], torch.autograd.Function.__dict__["apply"]) == before
    assert not torch.overrides._get_current_function_mode_stack()


def number_of(tensor: torch.Tensor) -> int:
    assert tensor.grad_fn is not None
    return int(tensor.grad_fn._sequence_nr())


def lines_of(sources: Sources, numbers: list[int]) -> tuple[SourceLine | None, ...]:
    """What was noted for the nodes with these numbers, whose keys nobody knows."""
    return sources.lines([f"key {next(unused)}" for _ in numbers], numbers)


def line_of(sources: Sources, make: Callable[[], torch.Tensor]) -> SourceLine | None:
    """The line noted for the node that `make` returns."""
    undo = sources.arm(strict_guard)
    tensor = make()
    undo()
    return lines_of(sources, [number_of(tensor)])[0]


def test_every_op_has_the_line_that_made_it(user: ModuleType, sources: Sources, tmp_path: Path) -> None:
    net = user.Net()
    undo = sources.arm(strict_guard)
    _, made = user.loss_of(net, torch.randn(4, 4))
    undo()
    expected = Expected(tmp_path / "user_model.py").lines | {
        "doubled": Expected(tmp_path / "helper.py").lines["doubled"],
        "cubed": SourceLine(str(tmp_path / "helper.py"), 8, "<lambda>"),
    }
    listed = expected["listed"]
    expected["listed"] = SourceLine(listed.file, listed.line, f"{listed.function}.<locals>.<listcomp>")
    found = dict(zip(made, lines_of(sources, [number_of(tensor) for tensor in made.values()]), strict=True))
    assert set(found) >= {"projected", "own", "held", "sequence", "doubled", "cubed", "loss"}
    assert found == {name: expected[name] for name in made}


def test_all_nodes_of_a_graph_have_lines(user: ModuleType, sources: Sources, tmp_path: Path) -> None:
    undo = sources.arm(strict_guard)
    loss, _ = user.loss_of(user.Net(), torch.randn(4, 4))
    undo()
    nodes, pending = set(), [loss.grad_fn]
    while pending:
        node = pending.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            pending += [child for child, _ in node.next_functions]
    ops = [node for node in nodes if "AccumulateGrad" not in node.name()]
    lines = lines_of(sources, [node._sequence_nr() for node in ops])
    assert len(ops) > 20
    assert {None if line is None else Path(line.file).parent for line in lines} == {tmp_path}


def test_leaves_and_unknown_numbers_have_none(sources: Sources) -> None:
    weight = torch.ones(2, requires_grad=True)
    undo = sources.arm(strict_guard)
    product = weight * 2
    undo()
    (leaf, _), *_ = product.grad_fn.next_functions  # type: ignore[union-attr]
    assert lines_of(sources, [leaf._sequence_nr(), 10**15, -1]) == (None, None, None)


def test_notes_are_kept_for_a_few_steps_and_not_made_when_not_armed(sources: Sources) -> None:
    """A generator runs before the discriminator's step and learns after it."""
    weight = torch.ones(2, requires_grad=True)
    undo = sources.arm(strict_guard)
    first = weight * 2
    undo()
    sources.clear()
    second = weight * 2
    numbers = [number_of(first), number_of(second)]
    assert [line is None for line in lines_of(sources, numbers)] == [False, True]
    for _ in range(10):
        sources.clear()
    assert lines_of(sources, numbers) == (None, None)


def test_code_from_a_string_is_the_users(sources: Sources) -> None:
    scope: dict[str, Any] = {"weight": torch.ones(2, requires_grad=True)}
    code = compile("\n\nproduct = weight * 2", "<ipython-input-1>", "exec")
    line = line_of(sources, lambda: [exec(code, scope), scope["product"]][1])
    assert line == SourceLine("<ipython-input-1>", 3, "<module>")


def test_where_no_code_is_the_users_the_packages_line_counts(sources: Sources, tmp_path: Path) -> None:
    """What an installed package does by itself, called by nobody but the machine: here a thread of the test's would be
    the user, so the stack is cut by running the code as Tapescope runs a script."""
    package = tmp_path / "site-packages" / "somelib.py"
    package.parent.mkdir()
    package.write_text("import torch\nweight = torch.ones(2, requires_grad=True)\nproduct = torch.sigmoid(weight)\n")
    from tracer import script

    scope: dict[str, Any] = {}
    program = compile(package.read_text(), str(package), "exec")
    line = line_of(sources, lambda: [script.execute(lambda: exec(program, scope)), scope["product"]][1])
    # the lambda that starts it is ours, that is the user's: it wins over the package
    assert line is not None and line.file == __file__
    runner = compile("exec(program, scope)", script.__file__, "exec")
    line = line_of(sources, lambda: [exec(runner, {"program": program, "scope": scope}), scope["product"]][1])
    assert line == SourceLine(str(package), 3, "<module>")


def test_gradients_of_gradients_have_the_line_of_the_backward(sources: Sources) -> None:
    weight = torch.ones(2, requires_grad=True)
    loss = (weight**3).sum()
    undo = sources.arm(strict_guard)
    (gradient,) = torch.autograd.grad(loss, weight, create_graph=True)  # this line
    undo()
    (line,) = lines_of(sources, [number_of(gradient)])
    assert line is not None
    assert "# this line" in linecache.getline(line.file, line.line)


def test_functions_of_torch_func_and_vmap_have_the_line_of_the_op(sources: Sources) -> None:
    weight = torch.ones(3, requires_grad=True)

    def scaled(x: torch.Tensor) -> torch.Tensor:
        return x * 2  # mapped

    line = line_of(sources, lambda: torch.vmap(scaled)(weight))
    assert line is not None and line.function.endswith("scaled")
    assert "# mapped" in linecache.getline(line.file, line.line)


def test_nothing_is_kept_alive(sources: Sources) -> None:
    """Frames hold tensors; notes must hold neither."""

    def forward() -> tuple[int, Any]:
        big = torch.ones(100, requires_grad=True)
        product = big * 2
        return number_of(product), weakref.ref(big)

    undo = sources.arm(strict_guard)
    number, alive = forward()
    undo()
    gc.collect()
    assert alive() is None
    assert lines_of(sources, [number])[0] is not None


def test_bits_and_random_numbers_are_the_same_when_armed(user: ModuleType, sources: Sources) -> None:
    def train(armed: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        net = user.Net()
        optimizer = torch.optim.Adam(net.parameters())
        for _ in range(3):
            undo = sources.arm(strict_guard) if armed else lambda: None
            optimizer.zero_grad()
            user.loss_of(net, torch.randn(4, 4))[0].backward()
            optimizer.step()
            undo()
        return [*(parameter.detach() for parameter in net.parameters()), torch.random.get_rng_state()]

    assert all(map(torch.equal, train(armed=False), train(armed=True)))


@needs_hook
def test_a_hook_of_the_users_that_begins_first_and_ends_first_stays_right() -> None:
    theirs, ours = [], []
    weight = torch.ones(2, requires_grad=True)
    with torch.autograd.graph.node_creation_hook(lambda node: theirs.append(node.name())):
        undo = on_node_creation(lambda node: ours.append(node.name()))
        kept = weight * 2
    kept = kept + 1
    undo()
    kept = kept.exp()
    assert [name for name in theirs if "Accumulate" not in name] == ["MulBackward0"]
    assert [name for name in ours if "Accumulate" not in name] == ["MulBackward0", "AddBackward0"]


@needs_hook
def test_a_hook_of_the_users_that_begins_last_and_ends_last_stays_right() -> None:
    theirs, ours = [], []
    weight = torch.ones(2, requires_grad=True)
    undo = on_node_creation(lambda node: ours.append(node.name()))
    with torch.autograd.graph.node_creation_hook(lambda node: theirs.append(node.name())):
        kept = weight * 2
        undo()
        kept = kept + 1
    kept = kept.exp()
    assert [name for name in ours if "Accumulate" not in name] == ["MulBackward0"]
    assert [name for name in theirs if "Accumulate" not in name] == ["MulBackward0", "AddBackward0"]


def test_a_mode_of_the_users_that_outlives_ours_stays(sources: Sources) -> None:
    class Count(torch.overrides.TorchFunctionMode):
        seen = 0

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.seen += 1
            return func(*args, **(kwargs or {}))

    weight = torch.ones(2, requires_grad=True)
    undo = sources.arm(strict_guard)
    with Count() as count:
        product = weight * 2
        undo()
        weight.exp()
    assert count.seen == 2
    assert lines_of(sources, [number_of(product)])[0] is not None


def test_by_function_keeps_clear_of_compiled_code() -> None:
    """Dynamo guards on the modes that are on."""
    sources = Sources(by_node=False)
    assert not sources.wants  # the first step shows whether anything is compiled
    torch._dynamo.reset()
    torch.compile(nn.Linear(1, 1), backend="eager")
    undo = sources.arm(strict_guard)
    assert not torch.overrides._get_current_function_mode_stack()
    undo()
    torch._dynamo.reset()


class Training:
    """Steps whose nodes have the keys given, each node made on a line of its own."""

    def __init__(self) -> None:
        self.sources = Sources(by_node=HAS_HOOK)
        self.sources.request()  # without the hook, the second step would be the first armed
        self.armed: list[bool] = []

    def step(self, *keys: str, unseen: tuple[str, ...] = ()) -> dict[str, SourceLine | None]:
        """`unseen` nodes are made where no hook of this thread sees it."""
        weight = torch.ones(2, requires_grad=True)
        self.armed.append(self.sources.wants)
        undo = self.sources.arm(strict_guard) if self.sources.wants else lambda: None
        nodes = {key: weight * at for at, key in enumerate(keys)}
        undo()
        nodes |= dict.fromkeys(unseen, weight * 2)
        found = self.sources.lines(list(nodes), [number_of(tensor) for tensor in nodes.values()])
        self.sources.clear()
        return dict(zip(nodes, found, strict=True))


def test_the_first_step_is_armed_and_none_after_it_while_nothing_is_new() -> None:
    training = Training()
    first = training.step("a", "b")
    assert None not in first.values()
    assert [training.step("a", "b") for _ in range(3)] == [first] * 3
    assert training.armed == [True, False, False, False]


def test_an_unknown_key_asks_for_one_armed_step() -> None:
    training = Training()
    training.step("a")
    assert training.step("a", "c")["c"] is None
    assert training.step("a", "c")["c"] is not None
    assert training.step("c", "a")["a"] is not None
    assert training.armed == [True, False, True, False]


def test_a_node_that_is_never_seen_made_is_asked_for_three_times() -> None:
    training = Training()
    for _ in range(10):
        assert training.step("a", unseen=("hidden",))["hidden"] is None
    assert training.armed == [True] * 4 + [False] * 6


def test_on_request_the_next_step_is_armed() -> None:
    training = Training()
    training.step("a")
    training.sources.request()
    training.step("a")
    training.step("a")
    assert training.armed == [True, True, False]


def test_parameters_and_outputs_have_no_line_and_ask_for_none() -> None:
    training = Training()
    training.step("a")
    assert training.sources.lines(["weight", "loss"], [None, None]) == (None, None)
    assert not training.sources.wants


def test_a_line_is_not_taken_from_another_op_that_had_the_number(tmp_path: Path) -> None:
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    with record(tmp_path / "run.tape", strict=True):
        for step in range(5):
            loss = layer(torch.ones(1, 2)).sum()
            if step == 3:
                loss = loss * 3.0
            loss = loss * 2.0  # usually the only one
            loss.backward()
            optimizer.step()
    tape = Tape(tmp_path / "run.tape")
    usual = tape.graph(2).nodes["MulBackward0:0"]["source"]["line"]
    first, second = (tape.graph(3).nodes[f"MulBackward0:{k}"]["source"] for k in range(2))
    assert first is None or first["line"] == usual - 1
    assert second is None or second["line"] == usual


LOOP = """
    import random
    import torch
    from torch import nn
    import tracer

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.cell, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 1)

        def forward(self, x, turns, branches):
            h = torch.tanh(self.inner(x))  # first
            if branches:
                h = torch.tanh(h)  # branch
            for _ in range(turns):
                h = torch.tanh(self.cell(h)) + h  # loop
            return self.head(h)

    random = random.Random(1)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    with tracer.record(tape, strict=True):
        for step in range(60):
            optimizer.zero_grad()
            turns, branches = WAY
            net(torch.ones(4, 8), turns, branches).sum().backward()
            tracer.log(turns=turns, branches=branches)
            optimizer.step()
"""
LEAST_TIMES = 4


@pytest.mark.parametrize(
    "way",
    [
        "2 + random.randrange(3), 0",
        "2 + random.randrange(3), random.randrange(2)",
        "2 + step % 3, 0",
        "1 + step % 5 // 2, step % 2",
    ],
)
def test_structures_that_recur_come_to_have_all_their_lines(tmp_path: Path, way: str) -> None:
    script = tmp_path / "loop.py"
    script.write_text(textwrap.dedent(LOOP.replace("WAY", way)))
    runpy.run_path(str(script), {"tape": tmp_path / "run.tape"})
    lines = script.read_text().splitlines()
    first, branch, loop = (
        next(at for at, line in enumerate(lines, 1) if line.endswith(f"# {name}"))
        for name in ("first", "branch", "loop")
    )
    with Tape(tmp_path / "run.tape") as tape:
        tape.refresh()
        times = Counter(tape.step(at).topology_id for at in range(60))
        assert len(times) >= 3 and min(times.values()) >= LEAST_TIMES
        for at in range(60):
            step, graph = tape.step(at), tape.graph(at)
            turns, branches = int(step.scalars["turns"]), int(step.scalars["branches"])
            found = Counter(
                None if node["source"] is None else node["source"]["line"]
                for node in graph.nodes.values()
                if node["op"] == "TanhBackward0"
            )
            assert found == Counter({first: 1, branch: branches, loop: turns}), at
            assert all(node["source"] is not None for node in graph.nodes.values() if node["kind"] == "op")
