"""Doing something as soon as a module has been imported, without importing it ourselves."""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

Action = Callable[[ModuleType], None]


def after_import(name: str, action: Action) -> Callable[[], None]:
    """Call `action(module)` once module `name` is imported, at once if it is. The returned function calls it off."""
    if name in sys.modules:
        action(sys.modules[name])
        return lambda: None
    watcher = _Watcher(name, action)
    sys.meta_path.insert(0, watcher)
    return watcher.remove


class _Watcher(MetaPathFinder):
    def __init__(self, name: str, action: Action) -> None:
        self._name = name
        self._action = action

    def remove(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self._name:
            return None
        self.remove()
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            self._act_after_loading(spec.loader)
        return spec

    def _act_after_loading(self, loader: object) -> None:
        """Replace the method on this one loader; it puts itself back as it was."""
        exec_module = loader.exec_module  # type: ignore[attr-defined]

        def exec_and_act(module: ModuleType) -> None:
            del loader.exec_module  # type: ignore[attr-defined]
            exec_module(module)
            self._action(module)

        loader.exec_module = exec_and_act  # type: ignore[attr-defined]
