"""The import arrows of the repository: who may know whom, read from the source and tried in fresh processes."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parents[1]
QT = {"PySide6", "pyqtgraph", "qtawesome", "shiboken6"}
TORCH = {"torch", "torchvision"}

# Small modules that stand on their own, for anyone above the model.
SHARED = {
    f"tracer.{name}"
    for name in (
        "display",
        "errors",
        "imports",
        "launch",
        "options",
        "plugins",
        "rank",
        "source_file",
        "steps",
        "terminal",
    )
}
APP = {
    "assets",
    "tracer.breakpoint_file",
    "tracer",  # the names it exports, not all its modules
    "tracer.conditions",
    "tracer.control.client",
    "tracer.exporters",
    "tracer.layout",
    "tracer.model",
    "tracer.store.heading",
    "tracer.store.reader",
    "tracer.store.run_folder",
    *SHARED,
}

# What each part may import of us, beside itself; the longest matching name rules. None: whatever it likes of tracer.
MAY_IMPORT: dict[str, set[str] | None] = {
    "main": {"gui.cli", "tracer.cli", *SHARED},
    "gui": APP,
    "gui.cli": {"gui", "tracer.cli", *APP},
    "tracer": None,
    "tracer.breakpoint_file": {"tracer.conditions", "tracer.errors", "tracer.model"},
    **{name: {"tracer.control.run_control", "tracer.errors", "tracer.store.reader"} for name in SHARED},
    "tracer.options": {"tracer.conditions", "tracer.control.run_control", "tracer.errors", "tracer.model"},
    "tracer.capture": {
        "tracer.breakpoint_file",
        "tracer.conditions",
        "tracer.control.breakpoints",
        "tracer.control.run_control",
        "tracer.control.server",
        "tracer.model",
        "tracer.store.liveness",
        "tracer.store.records",
        "tracer.store.writer",
        *SHARED,
    },
    "tracer.conditions": {"tracer.model", *SHARED},
    "tracer.control": {
        "tracer.conditions",
        "tracer.model",
        "tracer.store.heading",
        "tracer.store.liveness",
        "tracer.store.run_folder",
        *SHARED,
    },
    "tracer.exporters": {"tracer.layout", "tracer.model", "tracer.store.reader", *SHARED},
    "tracer.layout": {"tracer.errors", "tracer.model"},
    "tracer.model": {"tracer.errors"},
    "tracer.store": {"tracer.errors", "tracer.model", "tracer.rank"},
}
REGISTRIES = (
    *("gui/cli", "gui/colorings", "gui/exporters"),
    *("tracer/capture/probes", "tracer/cli", "tracer/conditions", "tracer/exporters"),
)


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(file): file
    for file in sorted([*(ROOT / "tracer").rglob("*.py"), *(ROOT / "gui").rglob("*.py"), *ROOT.glob("main.py")])
}


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports_in(tree: ast.AST, *, at_top_only: bool = False) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements that run: those under TYPE_CHECKING do not; those in functions do, later."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif is_for_types_only(node):
            assert isinstance(node, ast.If)
            waiting.extend(node.orelse)
        elif not (at_top_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))


def imported_names(module: str, *, at_top_only: bool = False) -> set[str]:
    """The modules a module imports, in full: `from gui import theme` is gui.theme where that is a module."""
    names: set[str] = set()
    for node in imports_in(ast.parse(MODULES[module].read_text(encoding="utf-8")), at_top_only=at_top_only):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
            continue
        assert node.level == 0, f"{module}: relative imports hide where a name comes from"
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            names.add(full if full in MODULES else str(node.module))
    return names


def lies_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def part_of(module: str) -> str:
    return max((part for part in MAY_IMPORT if lies_in(module, part)), key=len)


def is_allowed(module: str, imported: str) -> bool:
    part = part_of(module)
    allowed = MAY_IMPORT[part]
    if allowed is None or lies_in(imported, part):
        return True
    return imported in allowed or any(lies_in(imported, package) for package in allowed - {"tracer"})


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_what_its_part_may(module: str) -> None:
    ours = {name for name in imported_names(module) if name.split(".")[0] in ("assets", "gui", "main", "tracer")}
    assert not {name for name in ours if not is_allowed(module, name)}


@pytest.mark.parametrize("module", MODULES)
def test_torch_is_for_capture_and_qt_for_the_app(module: str) -> None:
    packages = {name.split(".")[0] for name in imported_names(module)}
    if not lies_in(module, "tracer.capture"):
        assert not packages & TORCH
    if lies_in(module, "tracer"):
        assert not packages & {*QT, "gui"}


def test_the_model_stands_on_networkx_and_numpy_alone() -> None:
    known = {*sys.stdlib_module_names, "networkx", "numpy", "tracer"}
    for module in MODULES:
        if lies_in(module, "tracer.model"):
            assert {name.split(".")[0] for name in imported_names(module)} <= known, module


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = nx.DiGraph()
    for module in MODULES:
        graph.add_edges_from((module, name) for name in imported_names(module, at_top_only=True) if name in MODULES)
    assert [sorted(circle) for circle in nx.strongly_connected_components(graph) if len(circle) > 1] == []


def packages_loaded_by(modules: list[str]) -> set[str]:
    """The top-level packages in a fresh Python after importing these modules."""
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *modules], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_tracer_loads_neither_torch_nor_qt() -> None:
    assert not packages_loaded_by(["tracer"]) & (TORCH | QT)


def test_the_whole_library_but_capture_loads_neither_torch_nor_qt() -> None:
    modules = [name for name in MODULES if lies_in(name, "tracer") and not lies_in(name, "tracer.capture")]
    assert not packages_loaded_by(modules) & (TORCH | QT)


def test_the_whole_app_loads_no_torch() -> None:
    assert not packages_loaded_by([name for name in MODULES if not lies_in(name, "tracer")]) & TORCH


@pytest.mark.parametrize("folder", REGISTRIES)
def test_every_file_of_a_registry_can_be_imported_and_says_what_it_is(folder: str) -> None:
    for module, file in MODULES.items():
        if file.parent == ROOT / folder and file.stem != "__init__":
            assert importlib.import_module(module).__doc__, module
