"""Opening a tape trusts nothing: it writes nowhere, reads no other file, runs nothing, and ends."""

import ast
import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.store import damages
from tests.store.samples import META, step_record, structure_record, write_rich_tape, write_tape
from tracer import Tape, TapeError
from tracer.store import connection as opening
from tracer.store.blobs import address, checksum
from tracer.store.connection import open_read_only
from tracer.store.structure_rows import StructureRows
from tracer.store.writer import Writer

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


def written(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything in a folder, that nothing of it changes."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def killed(folder: Path, *, has_index: bool) -> Path:
    """A tape as a kill leaves it: log and index beside it, or only the log, as it is sent to a colleague."""
    path = folder / "a.tape"
    files = damages.killed_tape(folder / "k.tape")
    damages.write(path, files)
    if has_index:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT count(*) FROM step").fetchone()
            index = path.with_name("a.tape-shm").read_bytes()
            log = path.with_name("a.tape-wal").read_bytes()
            path_bytes = path.read_bytes()
        path.write_bytes(path_bytes)
        path.with_name("a.tape-wal").write_bytes(log)
        path.with_name("a.tape-shm").write_bytes(index)
    (folder / "k.tape").unlink()
    return path


STATES: dict[str, Callable[[Path], Path]] = {
    "closed": lambda folder: write_rich_tape(folder / "a.tape"),
    "killed": lambda folder: killed(folder, has_index=True),
    "killed, no index": lambda folder: killed(folder, has_index=False),
}


@pytest.mark.parametrize("make", STATES.values(), ids=STATES)
def test_reading_writes_nothing_beside_the_tape(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    before, in_temporary = written(tmp_path), set(os.listdir(damages.tempfile_folder()))
    with Tape(path) as tape:
        n_steps = len(tape)
        assert n_steps in (3, damages.N_STEPS) and len(list(tape.steps)) == n_steps
    assert written(tmp_path) == before
    assert {name for name in os.listdir(damages.tempfile_folder()) if name.startswith("tapescope-")} <= in_temporary


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize("make", STATES.values(), ids=STATES)
def test_a_folder_that_cannot_be_written_is_read_by_somebody_else(make: Callable[[Path], Path]) -> None:
    """Not in pytest's own folder, which it keeps to itself."""
    program = f"""
import os, sys, tempfile
from tracer import Tape
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
with Tape(sys.argv[1]) as tape:
    print(len(list(tape.steps)))
"""
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder))
        os.chmod(folder, 0o555)
        done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() in ("3", str(damages.N_STEPS)), done.stderr


def test_a_journal_beside_a_tape_is_neither_rolled_back_nor_removed(tmp_path: Path) -> None:
    """One of SQLite's may name another file that is then deleted; ours are not left behind."""
    victim = tmp_path / "precious.txt"
    victim.write_text("mine")
    path = write_tape(tmp_path / "a.tape")
    with Tape(path) as tape:
        expected = [step.scalars for step in tape.steps]
    page = path.read_bytes()[16384:32768]
    name = bytes(victim)
    journal = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"".join(n.to_bytes(4, "big") for n in (1, 7, 20, 512, 16384))
    journal = journal.ljust(512, b"\0") + (2).to_bytes(4, "big") + page[::-1] + b"\0\0\0\7"
    journal += (1).to_bytes(4, "big") + name + len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big") + journal[:8]
    (tmp_path / "a.tape-journal").write_bytes(journal)
    before = written(tmp_path)
    with Tape(path) as tape:
        assert [step.scalars for step in tape.steps] == expected
    assert written(tmp_path) == before


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_lies_in_the_place_of_the_log_is_not_followed(suffix: str, kind: str, tmp_path: Path) -> None:
    path = write_tape(tmp_path / "a.tape")
    beside = path.with_name(path.name + suffix)
    if kind == "link":
        beside.symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(beside)
    else:
        beside.mkdir()
    with pytest.raises(TapeError, match=f"{suffix} is not a file; beside a tape lies its log or nothing of that name"):
        Tape(path)


@pytest.fixture
def odd_files(tmp_path: Path) -> Iterator[dict[Path, str]]:
    (tmp_path / "empty").touch()
    (tmp_path / "one").symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(tmp_path / "one")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10 << 30)
    (tmp_path / "closed.tape").symlink_to(write_tape(tmp_path / "real.tape"))
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as endpoint:
        os.chdir(tmp_path)  # names of sockets are short
        endpoint.bind("socket")
        os.chdir(ROOT)
        yield {
            tmp_path / "empty": "is empty; it is not a tape",
            tmp_path / "one": "cannot be read: Too many levels of symbolic links",
            tmp_path / "pipe": "is not a file; a tape is one file",
            tmp_path / "socket": "is not a file; a tape is one file",
            tmp_path: "is not a file, nor a folder of a job",
            Path("/dev/zero"): "is not a file; a tape is one file",
            Path("/dev/null"): "is not a file; a tape is one file",
            tmp_path / "sparse": "is not a tape; a tape is written by",
        }


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
def test_odd_files_get_one_sentence(odd_files: dict[Path, str], tmp_path: Path) -> None:
    for path, sentence in odd_files.items():
        with pytest.raises(TapeError, match=sentence) as raised:
            Tape(path)
        assert str(path) in str(raised.value) and "\n" not in str(raised.value)
    with Tape(tmp_path / "closed.tape") as tape:
        assert len(tape) == 6


def test_a_tape_blown_up_to_ten_gigabytes_of_nothing_is_read(tmp_path: Path) -> None:
    path = write_rich_tape(tmp_path / "a.tape")
    os.truncate(path, 10 << 30)
    with Tape(path) as tape:
        assert len(tape) == 3


FORBIDDEN = [
    "ATTACH ':memory:' AS other",
    "ATTACH 'other.tape' AS other",
    "CREATE TEMP TABLE t(x)",
    "DELETE FROM step",
    "UPDATE meta SET value = 'x'",
    "PRAGMA writable_schema=ON",
    "PRAGMA query_only=OFF",
    "PRAGMA user_version=5",
    "PRAGMA journal_mode=DELETE",
    "PRAGMA temp_store_directory='/tmp'",
    "SELECT load_extension('x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT zeroblob(1000000000)",
    "SELECT randomblob(10)",
    "SELECT * FROM dbstat",
    "SELECT * FROM pragma_table_list",
    "SELECT * FROM fts3tokenize",
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
    "VACUUM INTO 'other.tape'",
    "REINDEX",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_nothing_but_reading_our_tables_is_allowed(statement: str, tmp_path: Path) -> None:
    with contextlib.closing(open_read_only(write_tape(tmp_path / "a.tape"))) as connection:
        with pytest.raises(sqlite3.Error):
            connection.execute(statement).fetchall()
        assert connection.execute("SELECT count(*) FROM step").fetchone() == (6,)
    assert sorted(os.listdir(tmp_path)) == ["a.tape"]


def varint(value: int) -> bytes:
    assert value < 1 << 14
    return bytes([value >> 7 | 0x80, value & 0x7F]) if value > 0x7F else bytes([value])


def with_endless_tree(path: Path, table: str) -> None:
    """Pages of a table lead to each other: 300 times to the next one, twelve deep, before there are 300 rows."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    data = bytearray(path.read_bytes())
    n_pages = len(data) // 16384
    numbers = [root, *range(n_pages + 1, n_pages + 13)]
    data += bytes(16384 * 12)
    for number, following in zip(numbers, [*numbers[1:], root], strict=True):
        cells = [following.to_bytes(4, "big") + varint(at) for at in range(1, 301)]
        page = bytearray(16384)
        place = 16384
        for at, cell in enumerate(cells):
            place -= len(cell)
            page[place : place + len(cell)] = cell
            page[12 + 2 * at : 14 + 2 * at] = place.to_bytes(2, "big")
        page[:12] = (
            b"\x05\0\0"
            + len(cells).to_bytes(2, "big")
            + place.to_bytes(2, "big")
            + b"\0"
            + following.to_bytes(4, "big")
        )
        data[(number - 1) * 16384 : number * 16384] = page
    data[28:32] = (n_pages + 12).to_bytes(4, "big")
    leaf = data[(numbers[-1] - 1) * 16384 :]
    leaf[:16384] = bytes(16384)
    leaf[:8] = b"\x0d\0\0\0\0\x40\0\0"
    data[(numbers[-1] - 1) * 16384 :] = leaf[:16384]
    path.write_bytes(data)


@pytest.mark.parametrize("table", ["event", "step", "summary", "gap", "structure"])
def test_pages_that_lead_to_each_other_for_ever_end(table: str, tmp_path: Path) -> None:
    path = write_rich_tape(tmp_path / "a.tape")
    with_endless_tree(path, table)
    with pytest.raises(TapeError, match="is damaged"):
        Tape(path)


def test_an_honest_statement_may_take_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tape of many rows is far from the limit: a quarter of it would do."""
    writer = Writer(tmp_path / "a.tape", META)
    for index in range(2300):
        writer.append(step_record(index, None))
    writer.close("closed")
    monkeypatch.setattr(opening, "STEPS_AT_LEAST", 0)
    monkeypatch.setattr(opening, "STEPS_BETWEEN_LOOKS", 100)
    monkeypatch.setattr(opening, "STEPS_PER_BYTE", 1)
    with Tape(tmp_path / "a.tape") as tape:
        assert len(tape.table) == 2300


BOMBS: dict[str, bytes] = {
    "lists in lists": b"[" * (60 << 20),
    "empty lists": b"[" + b"[]," * (20 << 20) + b"[]]",
    "numbers": b'{"nodes":' + b"0," * (1 << 20) + b"0}",
    "a text": b'"' + b"x" * (60 << 20) + b'"',
    "half a million columns": b"{" + b",".join(b'"%d":{}' % at for at in range(500_000)) + b"}",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_content_that_unpacks_to_a_bomb_is_refused(bomb: bytes, tmp_path: Path) -> None:
    """In a process that may take a gigabyte."""
    path = write_tape(tmp_path / "a.tape")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (digest, topology, shape, size) = connection.execute(
            "SELECT digest, topology_id, shape_id, size FROM structure WHERE id = 1"
        ).fetchone()
        fields = 1, address(bomb), topology, shape, len(bomb), None, 1
        connection.execute("REPLACE INTO structure VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*fields, checksum(*fields)))
        connection.execute("REPLACE INTO graph VALUES (1, ?)", (zlib.compress(bomb, 1),))
    assert digest and size
    program = """
import resource, sys
import tracer, numpy
resource.setrlimit(resource.RLIMIT_AS, (3 << 29, 3 << 29))
with tracer.Tape(sys.argv[1]) as tape:
    try:
        tape.graph(0)
    except tracer.TapeError as error:
        print(error)
"""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program, path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0 and f"{path} is damaged" in done.stdout and done.stdout.count("\n") == 1, done.stderr


def test_a_blob_that_unpacks_to_more_than_it_claims_is_refused(tmp_path: Path) -> None:
    path = write_tape(tmp_path / "a.tape")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE graph SET data = ?", (zlib.compress(bytes(1 << 28), 9),))
    with Tape(path) as tape, pytest.raises(TapeError, match="does not unpack to its size"):
        tape.graph(0)


HOSTILE = {
    "number as a key": '{"nodes":{"key":{"values":[7],"at":[0]},"kind":{"values":["op"],"at":[0]}}}',
    "list as a key": '{"nodes":{"key":{"values":[["x"]],"at":[0]}}}',
    "from the end": '{"nodes":{"key":{"values":["x"],"at":[-1]}}}',
    "text of rows": '{"nodes":"abc","edges":"","calls":"","unreached":""}',
    "nothing": "null",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_content_of_other_types_is_refused(text: str, tmp_path: Path) -> None:
    path = write_tape(tmp_path / "a.tape")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        StructureRows(connection).number_of(text.encode(), "t", "s")
        connection.execute("CREATE TEMP TABLE one AS SELECT * FROM step WHERE id = 5")
        from tracer.store.step_rows import STEP_ROWS, pack_step, unpack_step

        step, scalars = unpack_step(connection.execute(f"{STEP_ROWS} WHERE id = 5").fetchone())
        row = pack_step(step._replace(structure=3), scalars)
        connection.execute("REPLACE INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("UPDATE meta SET value = 'live', crc = ? WHERE key = 'state'", (checksum("state", "live"),))
    with Tape(path) as tape:
        assert tape.step(5).topology_id == "t"
        with pytest.raises(TapeError, match="is damaged"):
            tape.graph(5)


def test_nothing_that_reads_a_tape_can_run_what_is_in_it() -> None:
    """No pickle, no eval: in the store, in the exporters, in what they use of ours."""
    folders = ("tracer/store", "tracer/exporters", "tracer/model", "tracer/layout", "gui/exporters", "gui/canvas")
    for file in (file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
                assert not names & {"pickle", "marshal", "shelve", "dill", "joblib", "yaml", "copyreg"}, file
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"eval", "exec", "compile", "__import__", "np.load", "np.fromfile"}, file
                assert not any(word.arg == "allow_pickle" for word in node.keywords), file


def test_a_reader_that_comes_before_the_log_waits_for_it(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.tape", META)
    with contextlib.closing(open_read_only(tmp_path / "a.tape")) as connection:
        writer.append(step_record(0, structure_record()))
        writer.flush()
        assert connection.execute("SELECT count(*) FROM step").fetchone() == (1,)
    writer.close("closed")
