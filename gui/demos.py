"""The demos that ship with the app: plain scripts, told apart by what their docstring says."""

import ast
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from tracer.errors import UsageError

DEFAULT = "mnist_mlp"


@dataclass(frozen=True, slots=True)
class Demo:
    """`title` is the docstring's first line, `text` the rest of it up to the first blank line after it."""

    name: str
    path: Path
    title: str
    text: str


def demos_folder() -> Path:
    return Path(str(files("assets"))) / "demos"


def find_demos(folder: Path | None = None) -> tuple[Demo, ...]:
    """Every demo, the default one first."""
    paths = (folder or demos_folder()).glob("*.py")
    names = sorted((path for path in paths if path.stem != "__init__"), key=lambda path: (path.stem != DEFAULT, path))
    return tuple(map(read_demo, names))


def find_demo(name: str) -> Demo:
    """The demo of a name. Raises UsageError, naming those there are."""
    demos = {demo.name: demo for demo in find_demos()}
    if name not in demos:
        raise UsageError(f'There is no demo "{name}"; there are {", ".join(demos)}.')
    return demos[name]


def read_demo(path: Path) -> Demo:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
    title, _, rest = docstring.partition("\n")
    paragraph = rest.strip().partition("\n\n")[0]
    return Demo(path.stem, path, title.strip().rstrip("."), " ".join(paragraph.split()))
