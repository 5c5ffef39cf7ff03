"""Running a user's script or module in this process as `python` itself would: `__main__`, `sys.argv`, `sys.path`,
tracebacks."""

import builtins
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType, TracebackType

from tracer.errors import UsageError

_OUR_FOLDER = str(Path(__file__).parent) + os.sep


def script_code(path: str) -> Callable[[], CodeType]:
    """Set the process up to run the file `path`; the result compiles it. Raises UsageError where there is no such
    file."""
    if not Path(path).is_file():
        raise UsageError(f"There is no script {path}.")
    main = _new_main()
    main.__file__ = path
    main.__dict__["__cached__"] = None
    sys.path[0] = str(Path(path).resolve().parent)

    def compiled() -> CodeType:
        return compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)

    return compiled


def module_code(name: str) -> Callable[[], CodeType]:
    """Set the process up to run module `name` as `python -m` does; a package runs its `__main__`. UsageError where it
    is not found."""
    sys.path[0] = str(Path.cwd())
    spec = _find(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = _find(f"{name}.__main__")
    if spec is None or spec.loader is None or not hasattr(spec.loader, "get_code"):
        raise UsageError(f"There is no module {name} that can be run.")
    loader, spec_name = spec.loader, spec.name
    main = _new_main()
    main.__spec__, main.__loader__, main.__package__ = spec, loader, spec.parent
    main.__file__ = spec.origin
    main.__dict__["__cached__"] = spec.cached
    sys.argv[0] = spec.origin or name

    def compiled() -> CodeType:
        code: CodeType = loader.get_code(spec_name)
        return code

    return compiled


def execute(compiled: Callable[[], CodeType]) -> None:
    """Run the code in `__main__`. What it raises goes on, and will be printed without our frames."""
    try:
        exec(compiled(), sys.modules["__main__"].__dict__)
    except BaseException:
        _hide_our_frames()
        raise


def _find(name: str) -> importlib.machinery.ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _new_main() -> ModuleType:
    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    return main


def _hide_our_frames() -> None:
    """Whatever prints the uncaught exception, the script's own hook or Python's, sees only the script's frames."""
    show = sys.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        clean(error)
        show(kind, error, error.__traceback__)

    sys.excepthook = excepthook


def clean(error: BaseException) -> None:
    """Take the frames of Tapescope out of the traceback of `error` and of those it came from."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        current.__traceback__ = _without_our_frames(current.__traceback__)
        pending += [current.__cause__, current.__context__]


def _without_our_frames(trace: TracebackType | None) -> TracebackType | None:
    kept: list[TracebackType] = []
    while trace is not None:
        if trace.tb_frame.f_code is execute.__code__:
            kept.clear()  # so far it was the launcher
        elif not trace.tb_frame.f_code.co_filename.startswith(_OUR_FOLDER):
            kept.append(trace)
        trace = trace.tb_next
    following = None
    for trace in reversed(kept):
        following = TracebackType(following, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
    return following
