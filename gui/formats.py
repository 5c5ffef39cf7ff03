"""The formats a step can be exported to: data formats of `tracer.exporters`, pictures of `gui.exporters`."""

from types import ModuleType

from tracer.errors import UsageError
from tracer.plugins import load, names

_PACKAGES = ("tracer.exporters", "gui.exporters")


def format_names() -> list[str]:
    return sorted(names(*_PACKAGES))


def exporter(name: str) -> ModuleType:
    """The module that writes format `name`: FORMAT, SUFFIX, TITLE, `export(tape, step, out)`. UsageError for an
    unknown one."""
    found = names(*_PACKAGES)
    if name not in found:
        raise UsageError(f"There is no format {name!r}; choose one of {', '.join(sorted(found))}.")
    return load(found[name])
