"""A folder of ranks' tapes read as one: what belongs together, what is missing, what is damaged, what comes later."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.store.samples import META, step_record, structure_record
from tracer import Tape, TapeError
from tracer.store.liveness import process_start
from tracer.store.run_folder import run_title
from tracer.store.run_tape import RunTape
from tracer.store.writer import Writer

SHORT, LONG = structure_record(2), structure_record(3)


def writer_of(path: Path, rank: int, world_size: object = 2, run_id: str = "job", started_ns: int = 1) -> Writer:
    path.parent.mkdir(exist_ok=True)
    own = {"rank": str(rank), "world_size": str(world_size), "run_id": run_id, "started_ns": str(started_ns)}
    return Writer(path, {**META, **own})


def write(path: Path, rank: int, steps: dict[int, float], long: tuple[int, ...] = (), **facts: object) -> None:
    """A tape with these steps and losses; those in `long` ran another graph."""
    writer = writer_of(path, rank, **facts)  # type: ignore[arg-type]
    for index, loss in steps.items():
        writer.append(step_record(index, LONG if index in long else SHORT, loss=loss))
    writer.close("closed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two ranks; the second stopped early, and differs in step 1."""
    write(tmp_path / "run.tape" / "rank-0.tape", 0, {0: 0.0, 1: 1.0, 2: 2.0, 3: 3.0}, long=(3,))
    write(tmp_path / "run.tape" / "rank-1.tape", 1, {0: 10.0, 1: 11.0, 2: 12.0}, long=(1,))
    return tmp_path / "run.tape"


def test_a_folder_is_the_tape_of_its_lowest_rank(folder: Path) -> None:
    with Tape(folder) as tape, Tape(folder / "rank-0.tape") as lowest:
        assert isinstance(tape, RunTape) and tape.path == lowest.path and tape.folder == folder
        assert list(tape) == list(lowest) and tape.meta == lowest.meta and tape.scalars == lowest.scalars
        assert list(tape.follow()) == list(lowest.follow())
        assert list(lowest.ranks) == [0] and lowest.problems == lowest.other_attempts == ()


def test_a_tape_on_its_own_has_the_rank_it_was_recorded_by(folder: Path) -> None:
    with Tape(folder / "rank-1.tape") as tape:
        assert list(tape.ranks) == [1] and tape.ranks[1] is tape
        _, values = tape.aligned("loss")
        assert values.tolist() == [tape.series("loss")[1].tolist()] and len(tape.disagreements()) == 0


def test_ranks_are_aligned_by_step(folder: Path) -> None:
    with Tape(folder) as tape:
        steps, losses = tape.aligned("loss")
        assert (steps.dtype, losses.dtype) == (np.int64, np.float64)
        assert steps.tolist() == [0, 1, 2, 3]
        np.testing.assert_array_equal(losses, [[0, 1, 2, 3], [10, 11, 12, np.nan]])
        with pytest.raises(KeyError, match="'acc' is not in this tape; it has loss"):
            tape.aligned("acc")


def test_a_scalar_of_one_rank_alone_leaves_the_others_without_values(folder: Path) -> None:
    writer = writer_of(folder / "rank-1.tape", 1)
    writer.append(step_record(5, SHORT, loss=1, accuracy=0.5))
    writer.close("closed")
    with Tape(folder) as tape:
        steps, accuracy = tape.aligned("accuracy")
        assert steps.tolist() == [5]
        np.testing.assert_array_equal(accuracy, [[np.nan], [0.5]])


def test_ranks_disagree_where_both_have_a_graph_and_it_differs(folder: Path) -> None:
    with Tape(folder) as tape:
        assert tape.disagreements().tolist() == [1]  # of step 3 only one has a graph


def test_a_rank_in_the_middle_that_differs_is_found(tmp_path: Path) -> None:
    for rank in range(4):
        write(tmp_path / "run" / f"rank-{rank}.tape", rank, dict.fromkeys(range(6), 0.0), (rank,), world_size=4)
    writer = writer_of(tmp_path / "run" / "rank-4.tape", 4, 4)
    writer.append(step_record(5, None))
    writer.close("closed")
    with Tape(tmp_path / "run") as tape:
        assert tape.disagreements().tolist() == [0, 1, 2, 3]


def test_a_missing_rank_is_said(folder: Path) -> None:
    (folder / "rank-0.tape").rename(folder / "rank-3.tape")
    for rank, size in ((1, 7), (3, 7)):
        write(folder / f"rank-{rank}.tape", rank, {0: 0.0}, world_size=size)
    with Tape(folder) as tape:
        assert list(tape.ranks) == [1, 3] and tape.ranks[1] is tape
        assert tape.problems == (f"Ranks 0, 2, 4 to 6 of 7 have no tape in {folder}.",)
    (folder / "rank-3.tape").unlink()
    write(folder / "rank-1.tape", 1, {0: 0.0})
    with Tape(folder) as tape:
        assert tape.problems == (f"Rank 0 of 2 has no tape in {folder}.",)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_damaged_rank_does_not_cost_the_others(folder: Path, rank: int) -> None:
    file = folder / f"rank-{rank}.tape"
    os.truncate(file, file.stat().st_size // 2 // 512 * 512)
    with Tape(folder) as tape:
        assert list(tape.ranks) == [1 - rank] and len(tape) == (3 if rank == 0 else 4)
        (problem,) = tape.problems
        assert problem.startswith(str(file)) and "damaged" in problem
        assert tape.aligned("loss")[1].shape == (1, len(tape))


def test_without_a_sound_tape_the_reasons_are_given(folder: Path) -> None:
    for file in folder.iterdir():
        file.write_text("nonsense")
    with pytest.raises(TapeError) as caught:
        Tape(folder)
    (first, second), sentence = sorted(folder.iterdir()), "is not a tape; a tape is written by `tapescope run`."
    assert str(caught.value) == f"No tape in {folder} can be read. {first} {sentence} {second} {sentence}"


@pytest.mark.parametrize("name", ["", "rank-x.tape", "rank-01.tape", "rank-0.restart-0.tape", "rank-0.tape.new"])
def test_a_folder_without_ranks_is_no_tape(tmp_path: Path, name: str) -> None:
    if name:
        (tmp_path / name).write_text("x")
    with pytest.raises(TapeError, match=r"is not a file, nor a folder of a job's tapes \(rank-0\.tape, rank-1\.tape"):
        Tape(tmp_path)


def test_of_several_runs_the_newest_is_opened_and_the_rest_is_said(folder: Path) -> None:
    write(folder / "rank-1.tape", 1, {0: 5.0}, run_id="new", started_ns=10)
    write(folder / "rank-0.restart-1.tape", 0, {0: 5.0}, started_ns=5)
    with Tape(folder) as tape:
        assert list(tape.ranks) == [1] and tape.meta["run_id"] == "new"
        assert tape.problems == (
            f"{folder / 'rank-0.tape'} belongs to another run (job, of 2 processes), "
            "not to this one (new, of 2 processes).",
        )
        assert tape.other_attempts == ()


def test_attempts_of_a_restarted_job_stay_apart(folder: Path) -> None:
    write(folder / "rank-1.restart-2.tape", 1, {0: 5.0}, started_ns=10)
    with Tape(folder) as tape:
        assert [one.path.name for one in tape.ranks.values()] == ["rank-1.restart-2.tape"]
        assert [path.name for path in tape.other_attempts] == ["rank-0.tape", "rank-1.tape"]
        assert tape.problems == (f"Rank 0 of 2 has no tape in {folder}.",)
        write(folder / "rank-0.restart-10.tape", 0, {0: 5.0}, started_ns=11)
        assert tape.problems[1:] == (
            f"The job has been restarted since {folder} was opened; open it again for the newest attempt.",
        )


def test_ranks_appear_and_grow_while_the_job_runs(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    live = {**META, "pid": str(os.getpid()), "process_start": process_start(os.getpid())}

    def begin(rank: int) -> Writer:
        own = {"rank": str(rank), "world_size": "2", "run_id": "job", "started_ns": str(rank)}
        return Writer(folder / f"rank-{rank}.tape", {**live, **own})

    folder.mkdir()
    writers = [begin(1)]
    with Tape(folder) as tape:
        assert list(tape.ranks) == [1] and tape.state == "live"
        (folder / "rank-0.tape").touch()
        assert [problem.endswith("is not a tape; a tape is written by `tapescope run`.") for problem in tape.problems]
        writers.append(begin(0))
        for n, writer in enumerate(writers, 1):
            for index in range(n):
                writer.append(step_record(index, SHORT, loss=index))
            assert writer.flush()
        assert list(tape.ranks) == [0, 1] and tape.problems == () and tape.ranks[1] is tape
        batches = {rank: one.refresh() for rank, one in tape.ranks.items()}
        assert {rank: len(batch.steps) for rank, batch in batches.items()} == {0: 2, 1: 1}
        assert tape.aligned("loss")[0].tolist() == [0, 1]
        writers[1].append(step_record(2, SHORT, loss=2))
        assert writers[1].flush()
        assert len(tape.ranks[0].refresh().steps) == 1
    for writer in writers:
        writer.close("closed")


def test_closing_closes_all(folder: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else None
    with Tape(folder) as tape:
        assert len(tape.ranks) == 2
    assert before is None or len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("size", ["9" * 5000, "999999999", "-1", "٣", "many", ""])
def test_a_world_of_any_size_is_read_at_once(tmp_path: Path, size: str) -> None:
    write(tmp_path / "run" / "rank-0.tape", 0, {0: 0.0}, world_size=size)
    with Tape(tmp_path / "run") as tape:
        said = (f"Ranks 1 to 999999998 of 999999999 have no tape in {tmp_path / 'run'}.",)
        assert tape.problems == (said if size == "999999999" else ())


def test_tapes_put_together_by_hand_are_a_run(tmp_path: Path) -> None:
    for rank in range(2):
        writer = Writer(tmp_path / f"rank-{rank}.tape", META)
        writer.append(step_record(0, SHORT, loss=rank))
        writer.close("closed")
    shutil.copy(tmp_path / "rank-0.tape", tmp_path / "rank-5.tape")
    with Tape(tmp_path) as tape:
        assert list(tape.ranks) == [0, 1, 5] and tape.problems == ()
        assert tape.aligned("loss")[1].tolist() == [[0], [1], [0]]


def test_the_title_of_a_ranks_tape_has_the_name_of_its_run() -> None:
    assert run_title(Path("runs/cifar.tape/rank-3.tape")) == "cifar, rank-3"
    assert run_title(Path("runs/cifar.tape")) == "cifar"
