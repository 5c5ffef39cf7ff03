"""Which process of a job this is, by the environment; and which file it then writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from main import main
from tests.store.samples import META, write_tape
from tracer import Tape, UsageError, record
from tracer.rank import Rank, own_rank
from tracer.store.liveness import process_start
from tracer.store.rank_file import file_name, own_file, rank_and_restart
from tracer.store.writer import Writer

UUID = "b350bb21-5e48-4d88-9cbd-7e1d7f546922"
TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "TORCHELASTIC_RUN_ID": UUID,
    "TORCHELASTIC_RESTART_COUNT": "2",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def as_rank(environment: pytest.MonkeyPatch, **changes: str) -> None:
    for name, value in {**TORCHRUN, "TORCHELASTIC_RESTART_COUNT": "0", **changes}.items():
        environment.setenv(name, value)


def test_torchrun_says_which_rank_it_is(environment: pytest.MonkeyPatch) -> None:
    as_rank(environment, **TORCHRUN)
    assert own_rank() == Rank(3, 8, "1", UUID, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"RANK": ""},
        {"RANK": "8"},
        {"RANK": "-1"},
        {"RANK": "one"},
        {"RANK": "٣"},
        {"RANK": "0", "WORLD_SIZE": "1"},
        {"WORLD_SIZE": ""},
        {"WORLD_SIZE": "9" * 5000},
    ],
)
def test_an_environment_that_makes_no_sense_is_no_job(environment: pytest.MonkeyPatch, changes: dict[str, str]) -> None:
    as_rank(environment, **changes)
    assert own_rank() is None


@pytest.mark.parametrize(
    "run_id, short", [(UUID, "b350bb21"), ("none", ""), ("", ""), ("my job/7", "my-job-7"), ("../..", ""), ("..x", "x")]
)
def test_a_run_id_makes_a_file_name(environment: pytest.MonkeyPatch, run_id: str, short: str) -> None:
    as_rank(environment, TORCHELASTIC_RUN_ID=run_id)
    rank = own_rank()
    assert rank is not None and rank.short_run_id == short


@pytest.mark.parametrize("rank, restart", [(0, 0), (12, 0), (0, 1), (511, 10)])
def test_file_names_are_read_back(rank: int, restart: int) -> None:
    assert rank_and_restart(file_name(rank, restart)) == (rank, restart)


def left_behind(path: Path, run_id: str, pid: int = 0) -> Path:
    """The tape of a process that has ended."""
    start = process_start(pid) if pid else ""
    Writer(path, {**META, "run_id": run_id, "pid": str(pid), "process_start": start}).close("closed")
    return path


def test_an_earlier_process_of_the_run_keeps_its_tape(tmp_path: Path) -> None:
    first = left_behind(tmp_path / "rank-3.tape", UUID)
    assert own_file(tmp_path, Rank(3, 8, "", UUID)).name == "rank-3.restart-1.tape"
    left_behind(tmp_path / "rank-3.restart-1.tape", UUID)
    assert own_file(tmp_path, Rank(3, 8, "", UUID)).name == "rank-3.restart-2.tape"
    assert own_file(tmp_path, Rank(2, 8, "", UUID)).name == "rank-2.tape"
    assert own_file(tmp_path, Rank(3, 8, "", "another")) == own_file(tmp_path, Rank(3, 8)) == first


def test_a_process_may_replace_what_it_wrote_itself(tmp_path: Path) -> None:
    file = left_behind(tmp_path / "rank-0.tape", UUID, os.getpid())
    assert own_file(tmp_path, Rank(0, 2, "", UUID)) == file


def test_recording_in_a_job_makes_a_folder(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    as_rank(environment)
    for _ in range(2):
        with record(tmp_path / "run.tape") as recorder:
            assert recorder.path == tmp_path / "run.tape" / "rank-3.tape"
    with Tape(tmp_path / "run.tape") as tape:
        facts = {name: tape.meta[name] for name in ("rank", "world_size", "local_rank", "run_id", "restart")}
        assert facts == {"rank": "3", "world_size": "8", "local_rank": "1", "run_id": UUID, "restart": "0"}
    assert [file.name for file in (tmp_path / "run.tape").iterdir()] == ["rank-3.tape"]


def test_a_process_on_its_own_says_nothing_of_ranks(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with record(tmp_path / "run.tape"):
        pass
    with Tape(tmp_path / "run.tape") as tape:
        assert not {"rank", "world_size", "run_id"} & set(tape.meta)


def test_a_job_never_replaces_a_file_by_its_folder(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_rank(environment)
    tape = write_tape(tmp_path / "run.tape")
    content = tape.read_bytes()
    sentence = f"{tape} is a file; the tapes of a job's ranks need a folder. Choose another name for it."
    with pytest.raises(UsageError) as caught, record(tape):
        pass
    assert str(caught.value) == sentence
    (tmp_path / "script.py").write_text("raise SystemExit(3)")
    assert main(["run", "--headless", "-o", str(tape), str(tmp_path / "script.py")]) == 2
    assert capsys.readouterr().err == f"tapescope: {sentence}\n"
    assert tape.read_bytes() == content
    with (
        pytest.raises(UsageError, match=r"Cannot make the folder .* No such file or directory"),
        record(tmp_path / "nowhere" / "run.tape"),
    ):
        pass


def test_a_job_without_an_id_is_asked_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("print('ran')")
    variables = {**os.environ, **TORCHRUN, "TORCHELASTIC_RUN_ID": "none"}
    main_file = Path(__file__).resolve().parents[1] / "main.py"
    done = subprocess.run(
        [sys.executable, str(main_file), "run", "--headless", "script.py"],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    sentence = "tapescope: This job has no id to name the folder of its tapes by; give one with -o.\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)
    assert list(tmp_path.iterdir()) == [tmp_path / "script.py"]
