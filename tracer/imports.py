"""Doing something as soon as a module has been imported, without importing it ourselves."""

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
        """What the other finders find. Asked also by those who only want to know whether there is such a module."""
        if name != self._name:
            return None
        for finder in sys.meta_path:
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    if spec.loader is not None:
                        self._act_after_loading(spec.loader)
                    return spec
        return None

    def _act_after_loading(self, loader: object) -> None:
        """Replace the method on this one loader; it puts itself back as it was."""
        exec_module = loader.exec_module  # type: ignore[attr-defined]

        def exec_and_act(module: ModuleType) -> None:
            del loader.exec_module  # type: ignore[attr-defined]
            exec_module(module)
            if self in sys.meta_path:
                self.remove()
                self._action(module)

        loader.exec_module = exec_and_act  # type: ignore[attr-defined]
