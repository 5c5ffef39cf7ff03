"""A tape that is moved, deleted or replaced while it is written: recording ends, nothing of another's is touched."""

from pathlib import Path

import pytest

from tests.store.samples import META, step_record, structure_record
from tracer import Tape
from tracer.store import writer as writing
from tracer.store.writer import Writer


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LOOK_SECS", 0.01)


def begin(path: Path, n_steps: int = 5) -> Writer:
    writer = Writer(path, META)
    for index in range(n_steps):
        writer.append(step_record(index, structure_record(), loss=float(index)))
    assert writer.flush()
    return writer


def end(writer: Writer) -> None:
    """After what happened has been noticed; the training never is told."""
    writer._thread.join(20)
    assert writer._is_ended
    for index in range(5, 10):
        writer.append(step_record(index, None, loss=float(index)))
    assert writer.flush() and writer._backlog.is_empty
    writer.close("closed")


def assert_is_first_half(path: Path, place: str) -> None:
    with Tape(path) as tape:
        assert tape.state == "closed"
        assert tape.series("loss")[1].tolist() == [0, 1, 2, 3, 4]
        (event,) = tape.events()
        assert (event.kind, event.step, event.data["first"]) == ("disk", 4, 5)
        assert event.data["text"] == f"the file was moved to {place}; recording ended"


def test_a_moved_file_is_left_whole_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = begin(tmp_path / "a.tape")
    (tmp_path / "a.tape").rename(tmp_path / "b.tape")
    end(writer)
    assert [path.name for path in tmp_path.iterdir()] == ["b.tape"]
    assert_is_first_half(tmp_path / "b.tape", f"{tmp_path}/b.tape")
    assert capsys.readouterr().err == (
        f"tapescope: {tmp_path}/a.tape cannot be written (the file was moved to {tmp_path}/b.tape); the training goes "
        "on, recording has ended.\n"
    )


def test_a_renamed_folder_takes_the_tape_along(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    writer = begin(tmp_path / "runs" / "a.tape")
    (tmp_path / "runs").rename(tmp_path / "old")
    end(writer)
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["a.tape"]
    assert_is_first_half(tmp_path / "old" / "a.tape", f"{tmp_path}/old/a.tape")


def test_a_deleted_file_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = begin(tmp_path / "a.tape")
    (tmp_path / "a.tape").unlink()
    end(writer)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == (
        f"tapescope: {tmp_path}/a.tape cannot be written (the file is gone); the training goes on, recording has "
        "ended.\n"
    )


@pytest.mark.parametrize("is_moved", [False, True])
def test_another_run_that_takes_the_place_keeps_what_it_records(tmp_path: Path, is_moved: bool) -> None:
    first = begin(tmp_path / "a.tape")
    if is_moved:
        (tmp_path / "a.tape").rename(tmp_path / "b.tape")
    second = begin(tmp_path / "a.tape", n_steps=7)
    end(first)
    assert (tmp_path / "a.tape-wal").stat().st_size
    with Tape(tmp_path / "a.tape") as tape:
        assert len(tape) == 7
    second.append(step_record(7, None, loss=7.0))
    second.close("closed")
    with Tape(tmp_path / "a.tape") as tape:
        assert tape.series("loss")[1].tolist() == [*range(8)]
    if is_moved:
        assert_is_first_half(tmp_path / "b.tape", f"{tmp_path}/b.tape")


def test_a_file_that_another_program_put_there_is_left_as_it_is(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.tape")
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "theirs").replace(tmp_path / "a.tape")
    end(writer)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.tape": "theirs"}


def test_it_is_noticed_at_the_latest_when_the_recording_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LOOK_SECS", 3_600.0)
    writer = begin(tmp_path / "a.tape")
    (tmp_path / "a.tape").rename(tmp_path / "b.tape")
    writer.close("closed")
    assert_is_first_half(tmp_path / "b.tape", f"{tmp_path}/b.tape")


def test_a_relative_path_is_where_it_was_when_the_script_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    writer = begin(Path("a.tape"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    for _ in range(5):
        writer.append(step_record(5, None))
        writer.flush()
    writer.close("closed")
    with Tape(tmp_path / "a.tape") as tape:
        assert (tape.state, tape.events()) == ("closed", [])


def test_files_beside_it_that_were_deleted_are_made_anew(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.tape")
    (tmp_path / "a.tape-wal").unlink()
    (tmp_path / "a.tape-shm").unlink()
    while not (tmp_path / "a.tape-wal").exists():
        writer._thread.join(0.01)
    writer.append(step_record(5, None, loss=5.0))
    assert writer.flush()
    with Tape(tmp_path / "a.tape") as tape:  # of which the log has the last step
        assert len(tape) == 6
    writer.close("closed")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tape"]
