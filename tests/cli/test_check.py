"""`tapescope check` and `repair` of run folders, and of files that are there already."""

import json
import shutil
from pathlib import Path

import pytest

from main import main
from tests.store.samples import write_tape
from tracer import Tape


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two ranks, of which the second is damaged in its middle."""
    path = tmp_path / "run.tape"
    path.mkdir()
    write_tape(path / "rank-0.tape")
    data = bytearray((path / "rank-0.tape").read_bytes())
    where = data.index(b"loss")
    data[where : where + 4] = b"LOSS"
    (path / "rank-1.tape").write_bytes(data)
    return path


def test_check_of_a_run_folder_looks_at_every_rank(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{folder / 'rank-0.tape'}: intact: 6 steps, 1 event"
    assert said[1].startswith(f"{folder / 'rank-1.tape'} is damaged; ") and said[-1].startswith("`tapescope repair ")
    assert main(["check", str(folder), "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert [fact["intact"] for fact in facts.values()] == [True, False]

    (folder / "rank-1.tape").unlink()
    assert main(["check", str(folder)]) == 0


def test_check_of_another_folder_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert "has no tapes of a job" in capsys.readouterr().err


def test_repair_takes_one_tape_and_never_replaces_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder.parent / "mended.tape"
    assert main(["repair", str(folder), "-o", str(out)]) == 2
    assert "is a folder; repair one of its tapes: " in capsys.readouterr().err
    assert main(["repair", str(folder / "rank-1.tape"), "-o", str(out)]) == 0
    before = out.read_bytes()
    assert main(["repair", str(folder / "rank-0.tape"), "-o", str(out)]) == 2
    assert "exists; it is left as it is" in capsys.readouterr().err and out.read_bytes() == before


def test_a_tape_without_its_first_page_is_not_given_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, copy = write_tape(tmp_path / "a.tape"), tmp_path / "b.tape"
    shutil.copy(path, copy)
    with copy.open("r+b") as file:
        file.write(b"\xff" * 16_384)
    assert main(["info", str(copy)]) == 2
    assert "If it was one, its beginning is destroyed: `tapescope repair`" in capsys.readouterr().err
    assert main(["repair", str(copy), "-o", str(tmp_path / "c.tape")]) == 0
    with Tape(tmp_path / "c.tape") as mended:
        assert len(mended) == 6 and repr(mended) == f"<Tape {str(tmp_path / 'c.tape')!r}, 6 steps>"
