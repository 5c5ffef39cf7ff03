"""Network file systems are recognised by the system's list of mounts."""

from pathlib import Path

import pytest

from tests.store.samples import META
from tracer.store import mounts, writer
from tracer.store.mounts import network_file_system
from tracer.store.writer import Writer

MOUNTS = """\
1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
2 1 0:40 / /home rw shared:2 master:1 - nfs4 server:/home rw,vers=4.2
3 2 8:2 / /home/me/local rw - xfs /dev/sdb1 rw
4 1 0:41 / /mnt/my\\040share rw - cifs //nas/share rw
5 1 0:42 / /scratch rw - lustre mgs@tcp:/work rw
6 1 0:43 / /cloud rw - fuse.sshfs me@there: rw
7 1 0:44 / /secret rw - fuse.gocryptfs /cipher rw
8 1 0:45 / /covered rw - nfs server:/old rw
9 1 0:46 / /covered rw - tmpfs none rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/run.tape", "nfs4"),
        ("/home/me/local/run.tape", None),
        ("/homes/run.tape", None),
        ("/mnt/my share/a/run.tape", "cifs"),
        ("/scratch/run.tape", "lustre"),
        ("/cloud/run.tape", "fuse.sshfs"),
        ("/secret/run.tape", None),
        ("/covered/run.tape", None),
        ("/run.tape", None),
    ],
)
def test_the_innermost_last_mount_counts(tmp_path: Path, path: str, kind: str | None) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    assert network_file_system(Path(path), tmp_path / "mountinfo") == kind


def test_a_system_that_does_not_tell_is_taken_to_be_local(tmp_path: Path) -> None:
    assert network_file_system(tmp_path / "run.tape", tmp_path / "none") is None
    assert network_file_system(tmp_path / "run.tape") is None  # what tests lie on


def test_a_tape_on_a_network_is_recorded_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path).replace(" ", "\\040")
    (tmp_path / "mountinfo").write_text(f"1 0 0:40 / {place} rw - nfs4 server:/home rw\n")
    monkeypatch.setattr(
        writer, "network_file_system", lambda path: mounts.network_file_system(path, tmp_path / "mountinfo")
    )
    Writer(tmp_path / "a.tape", META).close("closed")
    assert capsys.readouterr().err == (
        f"tapescope: {tmp_path}/a.tape lies on a network file system (nfs4), where looking at it from another machine "
        "while it is written may damage it; look from this machine only, or record to a local disk and copy the tape "
        "afterwards.\n"
    )
