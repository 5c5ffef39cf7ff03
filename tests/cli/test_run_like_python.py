"""A script under `tapescope run` and under plain `python`: the same output to the byte, the same end, and a tape."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tracer import Tape

ROOT = Path(__file__).resolve().parents[2]
RUN = [str(ROOT / "main.py"), "run", "--headless", "-o"]
TRAIN = """
import torch
torch.manual_seed(0)
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
def train(n, model=model):
    for _ in range(n):
        optimizer.zero_grad()
        loss = model(torch.ones(3, 2)).sum()
        loss.backward()
        optimizer.step()
    return loss.item()
"""


def outcome(words: Sequence[str], folder: Path, **options: object) -> tuple[bytes, bytes, int]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, timeout=240, env=environment, **options
    )  # type: ignore[call-overload]
    return done.stdout, without_addresses(done.stderr), done.returncode


def without_addresses(text: bytes) -> bytes:
    return re.sub(rb"0x[0-9a-f]+", b"0x", text)


def both(folder: Path, *words: str, tape: str = "x.tape", **options: object) -> tuple[bytes, bytes, int]:
    """Run plainly and recorded, at the same time; they must be equal. What they gave."""
    with ThreadPoolExecutor(2) as pool:
        plain = pool.submit(outcome, words, folder, **options)
        recorded = pool.submit(outcome, [*RUN, tape, *words], folder, **options)
    assert recorded.result() == plain.result()
    return plain.result()


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


WITHOUT_TORCH = {
    "normal end": ("print('ä', flush=True)", 0),
    "exit code": ("import sys; print(1); sys.exit(3)", 3),
    "exit text": ("import sys; sys.exit('that was it')", 1),
    "exit of odd kind": ("import sys; sys.exit((1, 2))", 1),
    "hard exit": ("import os; os._exit(7)", 7),
    "exception": (
        """
def f():
    return 1 / 0
f()
""",
        1,
    ),
    "chain": (
        """
try:
    {}['a']
except KeyError as e:
    try:
        raise ValueError('b') from e
    finally:
        int('c')
""",
        1,
    ),
    "group": (
        """
try:
    1/0
except Exception as e:
    raise ExceptionGroup('g', [e, ValueError(2)])
""",
        1,
    ),
    "own tracer error": (
        """
import sys
sys.path.append(sys.argv[-1])
import tracer
tracer.Tape('nothing.tape')
""",
        1,
    ),
    "broken pipe": ("raise BrokenPipeError(32, 'pipe')", 1),
    "syntax error": (
        """
print('never')
for:

""",
        1,
    ),
    "interrupt": (
        """
import os, signal
def f():
    os.kill(os.getpid(), signal.SIGINT)
f()
""",
        -signal.SIGINT,
    ),
    "own excepthook": (
        """
import sys, traceback
sys.excepthook = lambda *e: print(traceback.format_exception(*e))
1/0
""",
        1,
    ),
    "at exit": (
        """
import atexit, sys
atexit.register(print, 'later')
atexit.register(lambda: 1/0)
print('first')
sys.exit(4)
""",
        4,
    ),
    "namespace": (
        """
print(list(globals()), __file__, __name__, __package__, __spec__)
print(type(__loader__), __annotations__, __cached__)
""",
        0,
    ),
    "main": (
        """
import __main__, sys, pickle
class A: pass
print(pickle.loads(pickle.dumps(A())).__class__ is __main__.A is A)
print(__main__.__dict__ is globals(), sys.modules['__main__'] is __main__)
""",
        0,
    ),
    "surroundings": (
        """
import os, sys
print(sys.argv, sys.path, os.getcwd(), sys.flags, sys.stdin.read())
""",
        0,
    ),
    "source": (
        """
import inspect
def f():
    return 'text'
print(inspect.getsource(f))
""",
        0,
    ),
    "threads": (
        """
import threading, time
threading.Thread(target=lambda: print(threading.main_thread().is_alive())).start()
""",
        0,
    ),
    "closed streams": (
        """
import sys
sys.stdout.close()
sys.stderr.close()
""",
        None,
    ),
}


@pytest.mark.parametrize("script, code", WITHOUT_TORCH.values(), ids=WITHOUT_TORCH)
def test_script_without_torch_runs_as_under_python_and_leaves_no_tape(
    script: str, code: int | None, tmp_path: Path
) -> None:
    write(tmp_path, "sub/script.py", script)
    _, _, found = both(tmp_path, "./sub/script.py", "-o", "--level", "ü", str(ROOT), input=b"typed")
    assert code is None or found == code
    assert not list(tmp_path.glob("*.tape*"))


MODULES = {
    "print": """
import sys
print(__name__, __package__, __spec__.name, __file__, sys.argv, sys.path, list(globals()))
if __name__ == '__main__': print('main')
""",
    "relative": "from . import helper\nfrom .helper import name\nprint(name)",
    "raise": "def f():\n    raise RuntimeError('x')\nf()",
    "wrong": "for:",
}


def test_modules_run_as_under_python(tmp_path: Path) -> None:
    write(tmp_path, "pkg/__init__.py", "import sys; print('package', sys.argv[0])")
    write(tmp_path, "pkg/helper.py", "name = 'helped'")
    write(tmp_path, "pkg/__main__.py", MODULES["print"])
    write(tmp_path, "alone.py", MODULES["print"])
    for name, text in MODULES.items():
        write(tmp_path, f"pkg/{name}_.py", text)
    for name in ("pkg", "alone", *(f"pkg.{name}_" for name in MODULES)):
        both(tmp_path, "-m", name, "--epochs", "3", "-m", "x")


def test_modules_beside_the_script_win_over_ours(tmp_path: Path) -> None:
    names = ("gui", "main", "assets", "sqlite3", "pyqtgraph", "plugins", "store")
    for name in names:
        write(tmp_path, f"{name}.py" if name != "gui" else "gui/__init__.py", f"whose = 'mine {name}'")
    (tmp_path / "numpy").mkdir()  # a folder of data is no module
    listed = ", ".join(names)
    first = f"import {listed}\nprint([m.whose for m in ({listed})])\nimport numpy\nprint(numpy.pi)\n"
    write(
        tmp_path, "script.py", f"{first}{TRAIN}\nprint(train(3))\nimport {listed}\nprint([m.whose for m in ({listed})])"
    )
    out, err, code = both(tmp_path, "script.py")
    assert code == 0 and out.count(b"mine") == 2 * len(names), err
    with Tape(tmp_path / "x.tape") as tape:
        assert len(tape) == 3 and tape.state == "closed"


def test_training_prints_and_saves_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path, "script.py", f"""
import importlib.util
assert importlib.util.find_spec("torch") is not None  # asking is not importing
{TRAIN}
import hashlib, pickle, sys, threading
class Net(torch.nn.Sequential): pass
net = Net(torch.nn.Linear(2, 1))
print(train(20), train(5, net), hashlib.sha256(pickle.dumps(model.state_dict()["weight"].numpy())).hexdigest())
torch.save(net, "net.pt" if len(sys.argv) < 2 else sys.argv[1])
print(type(torch.load("net.pt", weights_only=False)) is Net, sys.argv)
threading.Thread(target=lambda: print(train(4))).start()
sys.exit(5)
""")  # fmt: skip
    assert both(tmp_path, "script.py")[2] == 5
    with Tape(tmp_path / "x.tape") as tape:
        assert len(tape) == 29  # the thread's steps too
        assert tape.state == "closed" and tape.meta["command"] == "script.py"


RAISING = f"""
import sys
{TRAIN}
train(3)
class Bad(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.clone()
    @staticmethod
    def backward(ctx, g):
        try:
            [][0]
        except IndexError as error:
            raise RuntimeError("bad gradient") from error
class Clumsy(torch.optim.SGD):
    def step(self): raise RuntimeError("bad step")
class Stubborn(torch.nn.Module):
    def forward(self, x): raise RuntimeError("bad forward")
if sys.argv[1] == "forward": torch.nn.Sequential(model, Stubborn())(torch.ones(1, 2))
try:
    Bad.apply(model(torch.ones(1, 2))).sum().backward()
except RuntimeError:
    try:
        torch.autograd.grad(Bad.apply(model(torch.ones(1, 2))).sum(), model.parameters())
    except RuntimeError:
        Clumsy(model.parameters(), lr=1).step()
"""


@pytest.mark.parametrize("how", ["backward, grad, step", "forward"])
def test_an_exception_inside_torch_has_the_same_traceback(how: str, tmp_path: Path) -> None:
    write(tmp_path, "script.py", RAISING)
    with ThreadPoolExecutor(2) as pool:
        commands = ["script.py", how], [*RUN, "x.tape", "script.py", how]
        plain, recorded = pool.map(lambda words: outcome(words, tmp_path), commands)
    assert plain[2] == recorded[2] == 1
    assert str(ROOT / "tracer").encode() not in recorded[1]
    if how == "forward":  # with any global hook, torch itself takes another way through its own module.py
        plain, recorded = (
            ([line for line in text[1].splitlines() if b"script.py" in line or b"Error" in line],)
            for text in (plain, recorded)
        )
    assert recorded == plain
    with Tape(tmp_path / "x.tape") as tape:
        assert [step.phase for step in tape.steps] == ["train"] * 3 + ["partial"]
        (event,) = tape.events("exception")
        assert event.data["type"] == "RuntimeError" and event.data["message"].startswith("bad ")


LOADING = f"""
import os, sys
{TRAIN}
from torch.utils.data import DataLoader
class Data(torch.utils.data.Dataset):
    def __len__(self): return 8
    def __getitem__(self, at): return torch.full((2,), float(at))
if __name__ == "__main__":
    for how in ("fork", "spawn"):
        for batch in DataLoader(Data(), 4, num_workers=2 if how == "fork" else 1, multiprocessing_context=how):
            train(1)
            print(how, batch.sum().item(), flush=True)
    from torch.utils.tensorboard import SummaryWriter
    with SummaryWriter("logs") as board:
        for step in range(3):
            train(1)
            board.add_scalar("accuracy/train", step / 4, step)
    child = os.fork()
    if child == 0:
        train(5)  # not on the tape
        sys.exit(0)
    os.waitpid(child, 0)
    train(1)
"""


def test_workers_forks_and_tensorboard_go_along(tmp_path: Path) -> None:
    write(tmp_path, "script.py", LOADING)
    out, err, code = outcome([*RUN, "x.tape", "script.py"], tmp_path)
    assert (out, code) == (b"fork 12.0\nfork 44.0\nspawn 12.0\nspawn 44.0\n", 0), err
    assert b"tapescope" not in err
    with Tape(tmp_path / "x.tape") as tape:
        assert len(tape) == 8 and not tape.events("capture_failed")
        assert tape.series("accuracy/train")[1].tolist() == [0.0, 0.25, 0.5]
    assert not list(tmp_path.glob("x.tape-*"))


def test_max_steps_ends_the_script_and_every_keeps_some_graphs(tmp_path: Path) -> None:
    write(tmp_path, "script.py", f"{TRAIN}\ntry:\n    train(50)\nfinally:\n    print('tidy')")
    out, err, code = outcome([*RUN, "x.tape", "--max-steps", "7", "--every", "3", "script.py", b"\xff"], tmp_path)
    assert (out, err, code) == (b"tidy\n", b"", 0)
    with Tape(tmp_path / "x.tape") as tape:
        assert tape.meta["command"] == r"script.py '\udcff'"
        assert [bool(step.topology_id) for step in tape.steps] == [True, False, False, True, False, False, True]
        assert len(tape.series("loss")[0]) == 7


def test_a_script_that_records_itself_joins_the_tape_of_run(tmp_path: Path) -> None:
    write(tmp_path, "script.py", f"{TRAIN}\nimport tracer\nwith tracer.record('own.tape'):\n    train(2)\ntrain(1)")
    out, err, code = outcome([*RUN, "x.tape", "script.py"], tmp_path)
    assert (out, err, code) == (b"", b"", 0)
    assert not (tmp_path / "own.tape").exists()
    with Tape(tmp_path / "x.tape") as tape:
        assert len(tape) == 3
