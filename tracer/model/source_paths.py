"""How the files of source lines are written for people."""

from pathlib import Path


def short_path(file: str, folder: str = "") -> str:
    """The path below `folder` or below site-packages, else the file's name."""
    path = Path(file)
    if folder and path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    parts = path.parts
    if "site-packages" in parts:
        return Path(*parts[parts.index("site-packages") + 1 :]).as_posix()
    return path.name
