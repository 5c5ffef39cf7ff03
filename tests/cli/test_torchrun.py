"""Real jobs of two processes, gloo on loopback: what each rank records, and what becomes of those that die."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from main import main
from tracer import Tape

ROOT = Path(__file__).resolve().parents[2]
MAIN = str(ROOT / "main.py")
EARLY_EXIT = """
import json, os, sys
import torch, torch.distributed as dist
from torch import nn

class EarlyExit(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.rest, self.head = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 1)
    def forward(self, x):
        self.is_hard = bool(x.abs().max() > 1.5)
        h = self.body(x).relu()
        if self.is_hard:
            h = self.rest(h).relu()
        return self.head(h)

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
model = EarlyExit()
ddp = nn.parallel.DistributedDataParallel(model, find_unused_parameters=True)
optimizer = torch.optim.SGD(ddp.parameters(), lr=0.05)
torch.manual_seed(1 + rank)
losses, hard = [], []
for step in range(30):
    optimizer.zero_grad()
    loss = ddp(torch.randn(2, 4)).pow(2).mean()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    hard.append(model.is_hard)
torch.save(model.state_dict(), f"{sys.argv[1]}-{rank}.pt")
with open(f"{sys.argv[1]}-{rank}.json", "w") as file:
    json.dump({"losses": losses, "hard": hard, "pid": os.getpid()}, file)
dist.destroy_process_group()
"""
DIES_ONCE = """
import os, signal
import torch, torch.distributed as dist
from torch import nn
import tracer

restart, rank = os.environ["TORCHELASTIC_RESTART_COUNT"], int(os.environ["RANK"])
# A store for each attempt: in torchrun's own a restarted gloo may still find the address of the process that died.
store = dist.FileStore(f"store-{restart}", 2)
dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
ddp = nn.parallel.DistributedDataParallel(nn.Linear(4, 1))
optimizer = torch.optim.SGD(ddp.parameters(), lr=0.05)
with tracer.record("job.tape") as recorder:
    for step in range(6):
        if step == 4 and rank == 1 and restart == "0":
            recorder.settle()
            os.kill(os.getpid(), signal.SIGKILL)
        optimizer.zero_grad()
        ddp(torch.ones(2, 4)).sum().backward()
        optimizer.step()
dist.destroy_process_group()
"""
SPAWNED = """
import sys
import torch, torch.distributed as dist
import torch.multiprocessing as mp
import tracer

def train(rank, folder):
    if sys.argv[1] == "init first":
        dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
        with tracer.record("spawned.tape"):
            step(rank)
        dist.destroy_process_group()
    else:
        try:
            with tracer.record("clash.tape"):
                step(rank)
                dist.init_process_group("gloo", init_method=f"file://{folder}/store2", rank=rank, world_size=2)
        except tracer.UsageError as error:
            print(error, flush=True)
            dist.init_process_group("gloo", init_method=f"file://{folder}/store2", rank=rank, world_size=2)
        dist.destroy_process_group()

def step(rank):
    model = torch.nn.Linear(2, 1)
    for _ in range(rank + 1):
        model(torch.ones(1, 2)).sum().backward()

if __name__ == "__main__":
    mp.spawn(train, (sys.argv[2],), nprocs=2)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("early.py", EARLY_EXIT), ("dies.py", DIES_ONCE), ("spawned.py", SPAWNED)):
        (tmp_path / name).write_text(text)
    return tmp_path


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TORCHELASTIC", "RANK", "WORLD"))},
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=110, env=environment
    )


def torchrun(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return call(folder, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--log-dir", "logs", *words)


def test_each_rank_records_its_own_tape_and_weights_stay_equal_to_the_bit(folder: Path) -> None:
    plain = torchrun(folder, "early.py", "plain")
    traced = torchrun(folder, "--no-python", sys.executable, MAIN, "run", "--headless", "early.py", "traced")

    assert (plain.returncode, traced.returncode) == (0, 0), plain.stderr + traced.stderr
    found = [json.loads((folder / f"traced-{rank}.json").read_text()) for rank in range(2)]
    for rank in range(2):
        before, after = (torch.load(folder / f"{name}-{rank}.pt") for name in ("plain", "traced"))
        assert all(torch.equal(before[key], after[key]) for key in before)
    (run,) = folder.glob("early-*.tape")
    assert traced.stderr.count(f"tapescope: recording to {run.name}") == 1  # not by each rank
    with Tape(run) as tape:
        assert list(tape.ranks) == [0, 1] and tape.ranks[0] is tape and not tape.problems
        assert len({one.meta["run_id"] for one in tape.ranks.values()}) == 1
        for rank, one in tape.ranks.items():
            assert one.path == run / f"rank-{rank}.tape" and one.state == "closed"
            facts = one.meta
            assert (facts["rank"], facts["local_rank"], facts["world_size"]) == (str(rank), str(rank), "2")
            assert facts["pid"] == str(found[rank]["pid"])
        steps, losses = tape.aligned("loss")
        assert steps.tolist() == list(range(30))
        np.testing.assert_array_equal(losses, [one["losses"] for one in found])
        hard = np.array([one["hard"] for one in found])
        differ = np.flatnonzero(hard[0] != hard[1])
        assert 0 < len(differ) < 30
        np.testing.assert_array_equal(tape.disagreements(), differ)


def test_a_restarted_job_keeps_the_tapes_of_its_first_attempt(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = torchrun(folder, "--max-restarts", "1", "--monitor-interval", "0.1", "dies.py")

    assert done.returncode == 0, done.stderr
    run = folder / "job.tape"
    names = [f"rank-{rank}{attempt}.tape" for attempt in ("", ".restart-1") for rank in range(2)]
    assert sorted(path.name for path in run.glob("*.tape")) == sorted(names)
    with Tape(run / "rank-1.tape") as killed:
        assert (killed.state, len(killed)) == ("abrupt", 4)
    with Tape(run) as tape:
        assert [one.path.name for one in tape.ranks.values()] == names[2:]
        assert [(one.state, len(one)) for one in tape.ranks.values()] == [("closed", 6)] * 2
        assert [path.name for path in tape.other_attempts] == names[:2]
    assert main(["info", str(run)]) == 0
    assert "other attempts of this run: " in capsys.readouterr().out


def test_spawned_processes_share_a_folder_once_their_group_has_begun(folder: Path) -> None:
    done = call(folder, "spawned.py", "init first", str(folder))

    assert done.returncode == 0, done.stderr
    with Tape(folder / "spawned.tape") as tape:
        assert {rank: len(one) for rank, one in tape.ranks.items()} == {0: 1, 1: 2}


def test_spawned_processes_without_a_rank_do_not_write_one_file(folder: Path) -> None:
    done = call(folder, "spawned.py", "clash", str(folder))

    assert done.returncode == 0, done.stderr
    (refusal,) = done.stdout.splitlines()
    assert refusal.startswith("clash.tape is being written by process ")
    assert refusal.endswith("begin recording after init_process_group, where each rank gets a tape of its own.")
    with Tape(folder / "clash.tape") as tape:
        assert tape.state == "closed" and len(tape) in (1, 2) and not tape.problems
