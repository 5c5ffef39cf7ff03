"""The training process forks, as loaders of data do: the tape stays the parent's, and children do not hang."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tracer import Tape

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

BEGIN = """
import os, sqlite3, sys, threading
from pathlib import Path
from tests.store.samples import META, step_record, structure_record
from tracer.store.writer import Writer
writer = Writer(Path(sys.argv[1]), META)
"""

# Each child uses SQLite for something of its own, appends, ends as it likes; the parent never stops recording.
FORKING = f"""{BEGIN}
is_over = threading.Event()
def append_on():
    global n
    n = 0
    while not is_over.is_set():
        writer.append(step_record(n, structure_record(30, f"layer{{n}}"), loss=float(n)))
        n += 1
        writer.flush(5)
appending = threading.Thread(target=append_on)
appending.start()
for number in range(30):
    child = os.fork()
    if not child:
        sqlite3.connect(":memory:").execute("CREATE TABLE own(a)")
        for index in range(100):
            writer.append(step_record(index, None, loss=-1.0))
        assert writer._backlog.is_empty
        assert writer.flush()
        if number % 3 == 0:
            os._exit(0)
        if number % 3 == 1:
            writer.close("closed")
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0, number
is_over.set()
appending.join()
writer.close("closed")
print(n)
"""


def run(code: str, tape: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code, tape], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_children_of_a_busy_parent_end_and_leave_the_tape_alone(tmp_path: Path) -> None:
    n_steps = int(run(FORKING, tmp_path / "a.tape"))
    with Tape(tmp_path / "a.tape") as tape:
        assert (tape.state, tape.gaps, tape.events()) == ("closed", [], [])
        assert tape.series("loss")[1].tolist() == [*range(n_steps)]
        assert f"layer{n_steps - 1}.weight" in tape.graph(-1)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tape"]


ORPHAN = f"""{BEGIN}
for n in range(3):
    writer.append(step_record(n, structure_record(), loss=float(n)))
assert writer.flush()
print(os.getpid(), flush=True)
if os.fork():
    os._exit(0)  # as if killed; the child outlives it, with the files still open
os.close(1)
sys.stdin.read()  # until the test has looked
sys.exit(0)
"""


def test_a_child_that_outlives_its_parent_does_not_end_the_tape(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin and parent.stdout
        parent.stdout.read()
        parent.wait()
        log = (tmp_path / "a.tape-wal").read_bytes()
        with Tape(path) as tape:
            assert len(tape) == 3
        parent.stdin.close()
    assert (tmp_path / "a.tape-wal").read_bytes() == log
    with Tape(path) as tape:
        assert tape.series("loss")[1].tolist() == [0, 1, 2]


STANDING_STILL = f"""{BEGIN}
going_on = threading.Event()
writer._connection.set_progress_handler(lambda: going_on.wait() and 0, 1)
writer.append(step_record(0, structure_record(), loss=0.0))
for _ in range(3):
    child = os.fork()  # waits a little for the transaction, and then no more
    if not child:
        writer.append(step_record(1, None))
        os._exit(0 if writer.flush() else 1)
    assert os.waitpid(child, 0)[1] == 0
going_on.set()
writer.append(step_record(1, structure_record(), loss=1.0))
writer.close("closed")
"""


def test_forks_go_on_while_the_disk_stands_still(tmp_path: Path) -> None:
    run(STANDING_STILL, tmp_path / "a.tape")
    with Tape(tmp_path / "a.tape") as tape:
        assert tape.state == "closed" and tape.series("loss")[1].tolist() == [0, 1]
