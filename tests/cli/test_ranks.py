"""Commands that are given a run folder: `info` tells of all ranks, the others take the lowest."""

import json
from pathlib import Path

import pytest

from main import main
from tests.store.samples import META, step_record, structure_record
from tracer import Tape
from tracer.store.writer import Writer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three of four ranks: the last two differ from the first in steps 2 to 13, and one is damaged."""
    for rank in range(3):
        facts = {"rank": str(rank), "world_size": "4", "run_id": "job", "host": "node", "started_ns": "1"}
        writer = Writer(tmp_path / f"rank-{rank}.tape", {**META, **facts})
        for step in range(20):
            writer.append(step_record(step, structure_record(3 if rank and 2 <= step < 14 else 2), loss=rank + 0.5))
        writer.close("closed")
    (tmp_path / "rank-2.tape").write_text("nonsense")
    return tmp_path


def test_info_tells_of_all_ranks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}: 2 of 4 ranks, run job",
        "  rank 0      closed, 20 steps, 1 structure, loss 0.5 (rank-0.tape by process 0 on node)",
        "  rank 1      closed, 20 steps, 2 structures, loss 1.5 (rank-1.tape by process 0 on node)",
        "  graphs      differ between ranks at 12 steps: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and more",
        f"  {folder / 'rank-2.tape'} is not a tape; a tape is written by `tapescope run`.",
        f"  Rank 3 of 4 has no tape in {folder}.",
    ]


def test_info_as_json_has_what_info_has_of_each_rank(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["world_size"], told["run_id"], told["disagreements"]) == ("4", "job", list(range(2, 14)))
    for rank, one in told["ranks"].items():
        assert main(["info", str(folder / f"rank-{rank}.tape"), "--json"]) == 0
        assert one == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "words", ["diff {} 1 2", "find {} op:mul --step 2", "break {}", "continue {}", "sources {}", "nan {}"]
)
def test_other_commands_take_the_lowest_rank(folder: Path, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    def outcome(tape: Path) -> tuple[int, str, str]:
        code = main(words.format(tape).split())
        told = capsys.readouterr()
        return code, told.out.replace(str(tape), "TAPE"), told.err.replace(str(tape), "TAPE")

    (folder / "rank-0.tape").unlink()
    with Tape(folder) as tape:
        assert tape.path == folder / "rank-1.tape"
    assert outcome(folder) == outcome(folder / "rank-1.tape")


def test_open_says_which_rank_it_shows(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Path] = []

    def run_app(tape: Path, step: int | None) -> int:
        shown.append(tape)
        return 0

    monkeypatch.setattr("gui.application.run_app", run_app)
    assert main(["open", str(folder)]) == 0
    assert shown == [folder / "rank-0.tape"]
    assert (
        capsys.readouterr().err == f"tapescope: showing rank-0.tape of {folder}; give another file of it to see that\n"
    )
