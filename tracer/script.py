"""Running a user's script or module in this process as `python` itself would: `__main__`, `sys.argv`, `sys.path`,
`sys.modules`, tracebacks."""

import builtins
import importlib.machinery
import importlib.util
import os
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from tracer.errors import UsageError

_FOLDER = Path(__file__).parent
# Whose frames are no business of the script's; the reader and the like it calls itself.
_HIDDEN_FOLDERS = tuple(str(_FOLDER / name) + os.sep for name in ("capture", "cli", "control"))
_HIDDEN_FILES = {str(_FOLDER / f"{name}.py") for name in ("imports", "recording", "script", "store/writer")}
_AROUND_MODES = tuple(os.path.join("torch", *name.split("/")) for name in ("_compile.py", "_dynamo/eval_frame.py"))
_UNDER_MODES = os.path.join("torch", "_ops.py")
_OURS = {"assets", "gui", "main"}  # names a script may well have itself; `tracer` stays, scripts may call it
# What Python has imported before it comes to the script; there a module of the script's would not win either.
_EARLIER = "__main__ _collections_abc _sitebuiltins abc codecs encodings genericpath io os posixpath ntpath site stat"
_taken: list[str] = []  # the folder whose modules win
_displaced: dict[str, ModuleType] = {}
_KEPT = {"tracer", "zipimport", *_EARLIER.split(), *sys.builtin_module_names}

Program = Callable[[], None]
"""Runs the user's code in `__main__`."""


def script(path: str) -> Program:
    """Set the process up to run the file `path`. Raises UsageError where there is no such file."""
    if not Path(path).is_file():
        raise UsageError(f"There is no script {path}.")
    _take_path(str(Path(path).resolve().parent))
    path = os.path.join(os.getcwd(), path)  # not normalised; neither does Python
    facts = _new_main()
    facts["__loader__"] = importlib.machinery.SourceFileLoader("__main__", path)
    facts["__file__"] = path
    facts["__cached__"] = None

    def program() -> None:
        exec(compile(Path(path).read_bytes(), path, "exec", dont_inherit=True), facts)

    return program


def module(name: str) -> Program:
    """Set the process up to run module `name` as `python -m` does. Raises UsageError where it is not found."""
    _take_path(str(Path.cwd()))
    _check_module(name)
    _new_main()
    return lambda: runpy._run_module_as_main(name)  # type: ignore[attr-defined]  # what `python -m` itself calls


def execute(program: Program) -> None:
    """Run it. What it raises goes on, and will be printed without our frames."""
    try:
        program()
    except BaseException:
        _hide_our_frames()
        raise


@contextmanager
def modules_of_ours() -> Iterator[None]:
    """Let our own imports pass by the script's modules: its `secrets.py` is not the standard library's."""
    path, folder = sys.path[:], _taken[0] if _taken else ""
    own = {name: found for name, found in sys.modules.items() if _shadows_the_standard_library(name, folder)}
    for name in own:
        del sys.modules[name]
    sys.modules.update(_displaced)
    sys.path[:] = [entry for entry in path if entry != folder]
    try:
        yield
    finally:
        sys.path[:] = path
        _make_room(folder, set())
        sys.modules.update(own)


def _take_path(folder: str) -> None:
    """Look for modules where the script would; those there win over ours and over those that only we imported."""
    sys.path[0] = folder
    _taken[:] = [folder]
    _make_room(folder, _OURS)


def _make_room(folder: str, unwanted: set[str]) -> None:
    for name in {name.partition(".")[0] for name in sys.modules} - _KEPT:
        if name in unwanted or _is_another(name, folder):
            for loaded in [loaded for loaded in sys.modules if loaded == name or loaded.startswith(f"{name}.")]:
                _displaced[loaded] = sys.modules.pop(loaded)


def _shadows_the_standard_library(name: str, folder: str) -> bool:
    file = getattr(sys.modules[name], "__file__", None) or ""
    return name.partition(".")[0] in sys.stdlib_module_names and os.path.dirname(file).startswith(folder)


def _is_another(name: str, folder: str) -> bool:
    """Whether `folder` has a module of this name other than the one imported. A folder without `__init__` is none."""
    found = importlib.machinery.PathFinder.find_spec(name, [folder])
    if found is None or found.origin is None:
        return False
    imported = getattr(sys.modules.get(name), "__spec__", None)
    return imported is None or imported.origin != found.origin


def _check_module(name: str) -> None:
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, ValueError) as error:
        raise UsageError(f"Module {name} cannot be run: {error}.") from None
    if spec is None or spec.loader is None or not hasattr(spec.loader, "get_code"):
        raise UsageError(f"There is no module {name} that can be run.")


def _new_main() -> dict[str, Any]:
    """A fresh `__main__` with the names that Python gives it, in Python's order; they are returned."""
    old = vars(sys.modules["__main__"])
    main = ModuleType("__main__")
    facts = vars(main)
    if "__annotations__" in old:
        facts["__annotations__"] = {}
    facts["__builtins__"] = builtins
    sys.modules["__main__"] = main
    return facts


def _hide_our_frames() -> None:
    """Whatever prints the uncaught exception, the script's own hook or Python's, sees only the script's frames."""
    show = sys.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        clean(error)
        show(kind, error, error.__traceback__)

    sys.excepthook = excepthook


def clean(error: BaseException) -> None:
    """Take the frames of Tapescope out of the traceback of `error` and of those it came from or holds."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        current.__traceback__ = _without_our_frames(current.__traceback__)
        pending += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions


def _without_our_frames(trace: TracebackType | None) -> TracebackType | None:
    kept: list[TracebackType] = []
    while trace is not None:
        if trace.tb_frame.f_code is execute.__code__:
            kept.clear()  # so far it was the launcher
        elif not (_file(trace).startswith(_HIDDEN_FOLDERS) or _file(trace) in _HIDDEN_FILES):
            kept.append(trace)
        else:
            is_mode = trace.tb_frame.f_code.co_name == "__torch_dispatch__"
            while kept and _is_wrapping(kept[-1], is_mode):
                kept.pop()
            if is_mode and trace.tb_next is not None and _file(trace.tb_next).endswith(_UNDER_MODES):
                trace = trace.tb_next
        trace = trace.tb_next
    following = None
    for trace in reversed(kept):
        following = TracebackType(following, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
    return following


def _is_wrapping(trace: TracebackType, is_mode: bool) -> bool:
    """Whether this frame is there only for ours, which it called. Python hides those of its import machinery itself,
    but not beside ours; torch calls a mode by way of its compiler."""
    file = _file(trace)
    return file.startswith("<frozen importlib") or (is_mode and file.endswith(_AROUND_MODES))


def _file(trace: TracebackType) -> str:
    return trace.tb_frame.f_code.co_filename
