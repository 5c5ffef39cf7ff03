"""Scripts that fail, under `tapescope run`: they end to the byte as under `python`, and the tape has the step that they
left unfinished, and says where it happened."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tracer import Event, Tape
from tracer.model.call_keys import call_keys

ROOT = Path(__file__).resolve().parents[2]
RUN = [str(ROOT / "main.py"), "run", "--headless"]

NET = """
import torch
from torch import nn
from torch.nn import functional as F

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
    def forward(self, x, fails=False):
        hidden = self.first(x).relu()
        if fails:
            hidden = hidden[:, :3]  # here
        return self.second(hidden)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(4, 1)
    def forward(self, x, failing=-1):
        for at, block in enumerate(self.blocks):
            x = block(x, at == failing)
        return self.head(x)

torch.manual_seed(0)
torch.set_num_threads(1)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
data = torch.ones(3, 4)
def train(steps):
    for _ in range(steps):
        optimizer.zero_grad()
        net(data).pow(2).mean().backward()
        optimizer.step()
train(3)
"""


@dataclass(frozen=True)
class Case:
    """`facts` are those of the event; `steps` how many the tape has, of which the last is partial if `is_partial`;
    `nodes` are some that its graph has."""

    code: str
    facts: Mapping[str, Any]
    steps: int = 4
    is_partial: bool = True
    nodes: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    module_lines: bool = field(default=False)  # torch itself goes another way through module.py where there are hooks


FORWARD = {"where": "forward", "type": "RuntimeError", "module": "blocks.1.second", "call": "blocks.1.second#0"}

CASES = {
    "shape mismatch in a nested module": Case(
        "net(data, failing=1).mean()",
        FORWARD,
        nodes=("blocks.0.second#0/AddmmBackward0:0", "blocks.1#0/ReluBackward0:0", "blocks.1#0/SliceBackward0:0"),
        lacks=("blocks.1.second#0/AddmmBackward0:0", "head.weight"),
        module_lines=True,
    ),
    "the second call of a module in a loop": Case(
        """
lstm = nn.LSTMCell(4, 4)
state = None
for at in range(3):
    state = lstm(data[:, : 4 - at // 2], state)
""",
        {"where": "forward", "class": "LSTMCell", "call": "LSTMCell#2", "type": "RuntimeError"},
        nodes=("LSTMCell#0/AddmmBackward0:0", "LSTMCell#1/AddmmBackward0:0"),
        module_lines=True,
    ),
    "in a sequence of torch's own modules": Case(
        "nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(9, 1))(data)",
        {"where": "forward", "class": "Linear", "call": "Sequential.2#0", "op": None},
        nodes=("Sequential.0#0/AddmmBackward0:0", "Sequential.1#0/ReluBackward0:0"),
        module_lines=True,
    ),
    "in an evaluation": Case(
        """
net.eval()
with torch.no_grad():
    net(data)
    net(data, failing=0)
""",
        {"where": "forward", "module": "blocks.0.second", "call": "blocks.0.second#0~2"},
        module_lines=True,
    ),
    "in a checkpoint that backward repeats": Case(
        """
from torch.utils.checkpoint import checkpoint
class Once(nn.Module):
    calls = 0
    def forward(self, x):
        self.calls += 1
        if self.calls > 1:
            raise ValueError("no more")
        return x.sin()
once = Once()
checkpoint(once, net(data), use_reentrant=False).sum().backward()
""",
        {"where": "backward", "type": "ValueError", "op": "SinBackward0", "node": "Once#0/SinBackward0:0"},
        nodes=("Once#0/SinBackward0:0", "head.weight"),
        module_lines=True,
    ),
    "in the backward of an own function": Case(
        """
class Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1
    @staticmethod
    def backward(ctx, gradient):
        bad = gradient / 0
        raise ValueError("not like this")
class Clipped(nn.Module):
    def forward(self, x):
        return Clip.apply(x)
clipped = Clipped()
loss = clipped(net(data)).exp().mean()
loss.backward()
""",
        {
            "where": "backward",
            "op": "ClipBackward",
            "node": "Clipped#0/ClipBackward:0",
            "call": "Clipped#0",
            "message": "not like this",
        },
        nodes=("head.weight", "loss"),
    ),
    "what backward needs was changed in place": Case(
        """
hidden = net.head(data).exp()
loss = (hidden * hidden).sum()
hidden += 1
loss.backward()
""",
        {"where": "backward", "op": "MulBackward0", "node": "MulBackward0:0", "type": "RuntimeError"},
        nodes=("head#0/AddmmBackward0:0",),
    ),
    "backward twice": Case(
        """
loss = net(data).pow(2).mean()
loss.backward()
loss.backward()
""",
        {"where": "backward", "op": "PowBackward0", "node": "PowBackward0:0"},
        nodes=("head.weight",),
    ),
    "a graph of the step before": Case(
        """
state = torch.zeros(3, 4)
for _ in range(2):
    optimizer.zero_grad()
    state = (net.blocks[0](data) + state).sin()
    state.sum().backward()
    optimizer.step()
""",
        {"where": "backward", "op": "SinBackward0"},
        steps=5,
    ),
    "a hook on a gradient": Case(
        """
def check(gradient):
    raise OverflowError("too much")
hidden = net.blocks[0](data)
hidden.register_hook(check)
net.head(hidden.tanh()).sum().backward()
""",
        {"where": "backward", "node": "blocks.0.second#0/AddmmBackward0:0", "type": "OverflowError"},
    ),
    "a hook on a parameter": Case(
        """
def check(gradient):
    raise OverflowError("too much")
net.blocks[1].first.bias.register_hook(check)
net(data).sum().backward()
""",
        {"where": "backward", "node": "blocks.1.first.bias", "parameter": "blocks.1.first.bias"},
    ),
    "no scalar to begin from": Case(
        "net(data).backward()",
        {"where": "backward", "node": None, "type": "RuntimeError"},
        nodes=("head#0/AddmmBackward0:0",),
    ),
    "the optimizer": Case(
        """
class Clumsy(torch.optim.SGD):
    def step(self, closure=None):
        raise IndexError("bad step")
clumsy = Clumsy(net.parameters(), lr=1)
net(data).mean().backward()
clumsy.step()
""",
        {"where": "optimizer", "optimizer": "Clumsy", "node": None, "module": None},
        nodes=("head.weight", "loss"),
    ),
    "loading the data": Case(
        """
batches = iter([data])
while True:
    batch = next(batches, None)
    if batch is None:
        raise FileNotFoundError("no more data")
    train(1)
""",
        {"where": "outside", "type": "FileNotFoundError"},
        is_partial=False,
    ),
    "the loss, of targets that do not fit": Case(
        """
logits = net(data)
loss = F.mse_loss(logits, torch.ones(4, 1, 7).view(7, 4))
""",
        {"where": "outside", "type": "RuntimeError"},
        nodes=("head#0/AddmmBackward0:0",),
    ),
    "from a backward, by way of another exception": Case(
        """
try:
    (net(data).log() * float("nan")).sum().backward(gradient=data)
except RuntimeError as error:
    raise SystemError("training failed") from error
""",
        {"where": "backward", "type": "SystemError", "message": "training failed"},
    ),
    "a discriminator after its generator": Case(
        """
judge = nn.Linear(1, 1)
judging = torch.optim.SGD(judge.parameters(), lr=0.1)
fake = net(data)
judge(fake.detach()).mean().backward()
judging.step()
judging.zero_grad()
verdict = judge(fake).mean()
verdict = verdict + torch.ones(2, 1).expand(2, 3) @ torch.ones(2, 1)
""",
        {"where": "outside", "type": "RuntimeError"},
        steps=5,
        nodes=("head#0/AddmmBackward0:0", "Linear#0/AddmmBackward0:0"),
    ),
    "in what a closure calls": Case(
        """
search = torch.optim.LBFGS(net.parameters())
def closure():
    search.zero_grad()
    loss = net(data, failing=0).mean()
    loss.backward()
    return loss
search.step(closure)
""",
        {"where": "forward", "module": "blocks.0.second", "optimizer": "LBFGS"},
        module_lines=True,
    ),
    "at the level full": Case("net(data, failing=1)", FORWARD, options=("--level", "full"), module_lines=True),
    "of a backward at the level full": Case(
        """
hidden = net.head(data).exp()
loss = (hidden * hidden).sum()
hidden += 1
loss.backward()
""",
        {"where": "backward", "node": "MulBackward0:0"},
        options=("--level", "full"),
    ),
    "in a step without graph": Case(
        "net(data, failing=1)",
        {"where": "forward", "type": "RuntimeError", "node": None, "call": None},
        options=("--every", "2"),
        module_lines=True,
    ),
}


PLAINLY = """
import os, sys, types
import torch, torch._dynamo  # what takes a process most of its time

def run(path):
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__file__ = path
    try:
        exec(compile(open(path).read(), path, "exec"), vars(main))
    except BaseException as error:
        own = error.__traceback__.tb_next
        sys.excepthook(type(error), error.with_traceback(own), own)
        return 1
    return 0

for folder in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
        sys.argv = ["script.py"]
        code = run(os.path.join(folder, "script.py"))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(os.path.join(folder, "code"), "w") as file:
        file.write(str(code))
"""
"""Runs the script of each folder as Python does, from one process that has imported torch: the same traceback printer
of the interpreter, a fifth of the time. test_run_like_python.py compares with `python script.py` itself."""


@pytest.fixture(scope="module")
def plain_ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, bytes, int]]:
    """How the script of each case ends without us."""
    folders = {name: tmp_path_factory.mktemp("plain") for name in CASES}
    for name, folder in folders.items():
        (folder / "script.py").write_text(NET + CASES[name].code)
    subprocess.run([sys.executable, "-c", PLAINLY, *map(str, folders.values())], timeout=240, check=True)
    return {
        name: (
            (folder / "out").read_bytes(),
            without_places((folder / "err").read_bytes(), folder),
            int((folder / "code").read_text()),
        )
        for name, folder in folders.items()
    }


def without_places(text: bytes, folder: Path) -> bytes:
    return re.sub(rb"0x[0-9a-f]+", b"0x", text).replace(bytes(folder), b"folder")


def end_of(words: list[str], folder: Path) -> tuple[bytes, bytes, int]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, timeout=240, env=environment)
    return done.stdout, without_places(done.stderr, folder), done.returncode


def without_module_lines(text: bytes) -> list[bytes]:
    lines = (line for line in text.splitlines() if not line.startswith(b"    "))
    return [line for line in lines if b"torch/nn/modules/module.py" not in line]


@pytest.mark.parametrize("name", CASES)
def test_a_script_that_fails(name: str, plain_ends: dict[str, tuple[bytes, bytes, int]], tmp_path: Path) -> None:
    case, plain = CASES[name], plain_ends[name]
    (tmp_path / "script.py").write_text(NET + case.code)
    recorded = end_of([*RUN, *case.options, "-o", "x.tape", "script.py"], tmp_path)
    if case.module_lines:
        assert without_module_lines(plain[1]) == without_module_lines(recorded[1])
        assert plain[1].splitlines()[-1] == recorded[1].splitlines()[-1]
    else:
        assert recorded[1] == plain[1]
    assert (recorded[0], recorded[2]) == (plain[0], plain[2]) == (b"", 1)
    with Tape(tmp_path / "x.tape") as tape:
        assert not tape.events("capture_failed")
        check(case, tape)


def check(case: Case, tape: Tape) -> None:
    (event,) = tape.events("exception")
    assert {name: event.data.get(name) for name in case.facts} == dict(case.facts)
    assert event.data["source"]["file"].endswith("script.py") and event.data["frames"]
    json.dumps(event.data, allow_nan=False)
    assert len(tape) == case.steps
    assert [step.phase for step in tape.steps[:-1]] == ["train"] * (len(tape) - 1)
    assert tape.steps[-1].phase == ("partial" if case.is_partial else "train")
    assert event.step == len(tape) - case.is_partial
    if not tape.steps[-1].topology_id:
        return
    graph = tape.graph(len(tape) - 1)
    assert set(case.nodes) <= set(graph)
    assert not set(case.lacks) & set(graph)
    if event.data.get("node") is not None:
        assert event.data["node"] in graph
    if event.data.get("call") is not None:
        assert event.data["call"] in call_keys(graph)
    if case.is_partial and tape.steps[-2].topology_id:
        check_causes(event, tape)


def check_causes(event: Event, tape: Tape) -> None:
    """What the last step lacks is put down to the exception, once each, and to nothing that needs a whole step."""
    last = len(tape) - 1
    for ways in ((last - 1, last), (last, last - 1)):
        found, explained = tape.diff(*ways), tape.causes(*ways)
        assert explained[0].kind == "broken off"
        assert explained[0].text.startswith(f"step {last} broke off: {event.data['type']} in ")
        assert Counter(node for cause in explained for node in cause.nodes) == Counter(
            [*found.added, *found.removed, *found.changed]
        )
        if event.data["where"] in ("forward", "outside"):
            missing = found.removed if ways[1] == last else found.added
            assert missing <= set(explained[0].nodes)
        if event.data["where"] == "forward":
            assert not {cause.kind for cause in explained} & {"frozen", "unreached", "hidden", "passes"}


def recorded(folder: Path, code: str, *options: str) -> tuple[Tape, Event, str]:
    (folder / "script.py").write_text(NET + code)
    _, err, _ = end_of([*RUN, *options, "-o", "x.tape", "script.py"], folder)
    tape = Tape(folder / "x.tape")
    (event,) = tape.events("exception")
    return tape, event, err.decode()


def test_the_frames_tell_what_their_variables_were(tmp_path: Path) -> None:
    code = """
class Secretive:
    def __getattribute__(self, name):
        print("asked for", name)
        raise AttributeError(name)
    def __repr__(self):
        print("asked to show itself")
        return ""
    __len__ = __bool__ = __eq__ = __hash__ = __class_getitem__ = __repr__

def load(path):
    secret, count, names, half = Secretive(), 7, ["a", "b"], 0.5
    bad = torch.tensor([[1.0, float("nan")], [float("inf"), 2.0]], requires_grad=True)
    text = "x" * 500
    huge = 1 << 10_000
    raise KeyError(path)
load("somewhere")
"""
    tape, event, err = recorded(tmp_path, code)
    with tape:
        outer, inner = event.data["frames"]
    assert "asked" not in err and (outer["function"], inner["function"]) == ("<module>", "load")
    assert event.data["source"] == {name: inner[name] for name in ("file", "line", "function")}
    found = {item.pop("name"): item for item in inner["locals"]}
    assert found["secret"] == {"type": "Secretive"} and found["huge"] == {"type": "int"}
    assert found["count"] == {"type": "int", "value": "7"} and found["half"] == {"type": "float", "value": "0.5"}
    assert found["names"] == {"type": "list", "length": 2} and found["path"]["value"] == "'somewhere'"
    assert len(found["text"]["value"]) < 100
    assert found["bad"] == {
        **{"type": "Tensor", "shape": [2, 2], "dtype": "float32", "device": "cpu", "requires_grad": True},
        **{"nans": 1, "infs": 1},
    }
    names = {item["name"] for item in outer["locals"]}
    assert {"net", "data", "optimizer"} <= names and not names & {"torch", "nn", "Net", "train", "__name__"}


@pytest.mark.parametrize("code", ["raise KeyboardInterrupt", "import sys; net(data); sys.exit(3)"])
def test_an_end_on_purpose_is_no_post_mortem(code: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(NET + code)
    end_of([*RUN, "--break-on-exception", "-o", "x.tape", "script.py"], tmp_path)
    with Tape(tmp_path / "x.tape") as tape:
        assert not tape.events("exception") and len(tape) == 3


def test_info_says_how_the_run_ended(tmp_path: Path) -> None:
    recorded(tmp_path, CASES["what backward needs was changed in place"].code)[0].close()
    out, _, code = end_of([str(ROOT / "main.py"), "info", "x.tape"], tmp_path)
    assert code == 0
    line = next(line for line in out.decode().splitlines() if line.startswith("  ended"))
    assert re.match(
        r"  ended       by RuntimeError in step 3, in backward at MulBackward0, \S+script.py:\d+: one of", line
    )
    assert "modified by an inplace operation" in line


def test_diff_says_first_that_the_step_broke_off(tmp_path: Path) -> None:
    recorded(tmp_path, CASES["shape mismatch in a nested module"].code)[0].close()
    out, _, code = end_of([str(ROOT / "main.py"), "diff", "x.tape", "2", "3"], tmp_path)
    assert code == 0
    line = (NET.splitlines().index("        return self.second(hidden)")) + 1
    assert (
        f"  step 3 broke off: RuntimeError in forward of blocks.1.second#0, script.py:{line} (no backward ran,"
        in (out.decode().splitlines()[2])
    )
    assert "frozen" not in out.decode() and "no backward reached" not in out.decode()
