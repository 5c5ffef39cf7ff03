"""Which files that a tape names are read, and what is said of the others."""

import os
from pathlib import Path

import pytest

from tracer.errors import SourceError
from tracer.source_file import MAX_FILE_BYTES, read_source


def test_lines_are_counted_as_python_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_bytes("\ufeffa = 1\r\nb = '\u2028'\rc = 'ä'\x0c\n".encode())
    found = read_source(str(path))
    assert found.lines == ("a = 1", "b = '\u2028'", "c = 'ä'\x0c", "")
    assert found.mtime_ns == path.stat().st_mtime_ns


def refusal(file: object) -> str:
    with pytest.raises(SourceError) as caught:
        read_source(str(file))
    return str(caught.value)


def test_what_is_no_python_text_here_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "binary.py").write_bytes(b"a\0b\n")
    (tmp_path / "latin.py").write_bytes(b"\xe9\n")
    (tmp_path / "large.py").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "zero.py").symlink_to("/dev/zero")
    endings = {
        "binary.py": "is not text and is not shown.",
        "latin.py": "is not UTF-8 text and is not shown.",
        "large.py": "is larger than 2 MB and is not shown.",
        "secret.txt": "is not a Python file and is not opened.",
        "folder.py": "is not a regular file and is not opened.",
        "pipe.py": "is not a regular file and is not opened.",
        "zero.py": "is not a regular file and is not opened.",
        "gone.py": "is not on this machine.",
    }
    for name, ending in endings.items():
        assert refusal(tmp_path / name) == f"{tmp_path / name} {ending}"
    for file in ("f.py", "<stdin>", "<string>\0.py", ""):
        assert refusal(file).endswith("is not a file, so there is nothing to show.")


def test_a_file_that_may_not_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "f.py").write_text("x")
    monkeypatch.setattr("tracer.source_file._open", refuse)
    assert refusal(tmp_path / "f.py") == f"{tmp_path / 'f.py'} cannot be read: Permission denied."
