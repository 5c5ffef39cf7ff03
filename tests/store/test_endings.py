"""However a training ends, its weights are those of an unrecorded one, and its tape can be read and says how it ended.

Real trainings, in processes of their own, through `tapescope run` and through `tracer.record`.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tracer import Tape

ROOT = Path(__file__).resolve().parents[2]
N_STEPS = 30

# argv: how to end, where to put the weights, the tape (or "" for `tapescope run`, and for none)
SCRIPT = f"""
import contextlib, os, signal, sys, threading, time
sys.path.append({str(ROOT)!r})
import torch
from torch.utils.data import DataLoader, Dataset

how, weights, tape = sys.argv[1:]

class Numbers(Dataset):
    def __len__(self):
        return {N_STEPS}
    def __getitem__(self, at):
        return torch.full((4,), at / 10)

def batches():
    if how in ("fork", "spawn"):
        return DataLoader(Numbers(), 1, num_workers=2, multiprocessing_context=how)
    return DataLoader(Numbers(), 1)

def train(recorder=None):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for number, batch in enumerate(batches()):
        loss = model(batch).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if how == "child trains" and number % 10 == 5:
            in_child(recorder, model, optimizer)
    torch.save(model.state_dict(), weights)

def in_child(recorder, model, optimizer):
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        return
    for step in range(20):
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
        if recorder is not None:
            recorder.log("mine", step)
    os._exit(0)

def end():
    if how == "exit":
        sys.exit(3)
    if how == "exception":
        raise ValueError("it was not to be")
    if how == "_exit":
        os._exit(4)
    if how == "terminated":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    if how == "terminated, handled":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    if how == "interrupted":
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

def work(recorder=None):
    if how == "thread":
        threading.Thread(target=train).start()
    elif how == "daemon":
        done = threading.Event()
        threading.Thread(target=lambda: (train(), done.set(), time.sleep(60)), daemon=True).start()
        done.wait()
    else:
        train(recorder)
    end()

if __name__ == "__main__":
    if not tape:
        work()
    else:
        from tracer import record
        if how in ("never ended", "thread"):
            recording = record(tape)
            recording.__enter__()
            work()
        else:
            with record(tape) as recorder:
                work(recorder)
"""

ABRUPT = "_exit", "terminated"
WAYS = (
    ("exit", "run", 3),
    ("exception", "record", 1),
    ("_exit", "run", 4),
    ("_exit", "record", 4),
    ("terminated", "run", -signal.SIGTERM),
    ("terminated, handled", "record", 5),
    ("interrupted", "run", -signal.SIGINT),
    ("thread", "run", 0),
    ("daemon", "record", 0),
    ("never ended", "record", 0),
    ("fork", "run", 0),
    ("spawn", "record", 0),
    ("child trains", "record", 0),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("endings")
    (path / "script.py").write_text(SCRIPT)
    return path


@pytest.fixture(scope="module")
def bare(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of the training that nobody records."""
    subprocess.run([sys.executable, "script.py", "normal", "bare.pt", ""], cwd=folder, check=True, timeout=100)
    return dict(torch.load(folder / "bare.pt"))


@pytest.mark.parametrize(("how", "by", "code"), WAYS)
def test_an_ending_changes_no_weight_and_leaves_a_tape(
    folder: Path, tmp_path: Path, bare: dict[str, torch.Tensor], how: str, by: str, code: int
) -> None:
    if not hasattr(os, "fork") and how in ("fork", "child trains"):
        pytest.skip("this system does not fork")
    tape, weights = str(tmp_path / "a.tape"), str(tmp_path / "weights.pt")
    words = ["script.py", how, weights, ""]
    if by == "run":
        words = [str(ROOT / "main.py"), "run", "--headless", "-o", tape, *words]
    else:
        words[-1] = tape
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=100)

    assert done.returncode == code, done.stderr
    assert "tapescope" not in done.stderr
    assert all(torch.equal(bare[name], weight) for name, weight in torch.load(weights).items())
    with Tape(tape) as opened:
        n_steps = len(opened)
        if how in ABRUPT:
            assert opened.state == "abrupt" and n_steps <= N_STEPS
        else:
            assert opened.state == "closed" and n_steps == N_STEPS
        assert (opened.gaps, opened.events("capture_failed"), "mine" in opened.scalars) == ([], [], False)
        assert all(step.index == at for at, step in enumerate(opened.steps))
        assert [event.data["message"] for event in opened.events("exception")] == (
            ["it was not to be"] if how == "exception" else []
        )
    assert how in ABRUPT or not list(tmp_path.glob("a.tape-*"))
