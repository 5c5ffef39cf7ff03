"""Folders in which adding a file adds a feature: sub-commands, exporters, colourings, conditions."""

import importlib
import pkgutil
from types import ModuleType


def names(*packages: str) -> dict[str, str]:
    """Feature name -> full module name, over all files of the packages, without importing the files.

    The feature is named like its file; a trailing underscore (`continue_.py`) keeps clear of Python's keywords.
    """
    found = {}
    for package in packages:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            found[module.name.rstrip("_")] = f"{package}.{module.name}"
    return found


def load(module: str) -> ModuleType:
    return importlib.import_module(module)
