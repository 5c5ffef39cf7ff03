"""What kind of file system a file lies on: some are shared by machines, and not made for a tape being written."""

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = re.compile(
    r"(nfs\d?|cifs|smb\d?|smbfs|ncpfs|afs|coda|lustre|gpfs|beegfs|ceph|glusterfs|ocfs2|gfs2|orangefs|pvfs2|panfs|wekafs"
    r"|9p|fuse\.(sshfs|s3fs|rclone|glusterfs|gcsfuse|blobfuse2?|juicefs|ceph(-fuse)?|smbnetfs|davfs2?|lustre|beegfs"
    r"|goofys|moosefs|mfs|curlftpfs))"
)


def network_file_system(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The name of the network file system that `path` lies on; None for a disk of this machine's, and where the system
    does not tell (not Linux)."""
    folder = path.absolute().parent.resolve()
    kind, depth = "", -1
    try:
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return None
    for line in lines:
        # id, parent, device, root, mount point, options, optional fields, "-", type, source, options
        before, _, after = line.partition(b" - ")
        place = Path(_unescaped(before.split()[4]))
        if folder.is_relative_to(place) and len(place.parts) >= depth:  # a later mount hides an earlier one
            kind, depth = after.split()[0].decode(errors="replace"), len(place.parts)
    return kind if _NETWORK.fullmatch(kind) else None


def _unescaped(place: bytes) -> str:
    """Blanks and the like are octal there."""
    plain = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), place)
    return plain.decode(errors="surrogateescape")
