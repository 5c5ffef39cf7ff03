"""Whether texts are what a term of a query looks for."""

import fnmatch
import re
from collections.abc import Callable, Hashable, Iterable
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.model.query import Text

Bools = NDArray[np.bool_]

_SIZES = re.compile(r"\[([\d*?,-]*)\]")
_LINE = re.compile(r"(.*?):(\d+)")


def test_of(term: Text) -> Callable[[str], bool]:
    """Whether a text in lower case is what is looked for: it contains the words, or fits the glob as a whole.

    A glob may leave out what stands before a dot: "conv?" fits "layer1.0.conv1".
    """
    if not term.text:
        return lambda text: False
    if term.is_glob:
        fits = re.compile(rf"(?:.*\.)?{fnmatch.translate(term.text)}", re.DOTALL).match
        return lambda text: fits(text) is not None
    return lambda text: term.text in text


def shape_test_of(term: Text) -> Callable[[str], bool]:
    """The same for shapes written as 64x128 2 (a scalar is "scalar"): 64x128 is not in 164x128; [64,*] is a whole
    shape, * one size of it."""
    sizes = _SIZES.fullmatch(term.text)
    if sizes is not None:
        parts = sizes[1].split(",") if sizes[1] else ["scalar"]
        whole = re.compile("x".join(_size_pattern(part) for part in parts))
        return lambda text: any(whole.fullmatch(shape) is not None for shape in text.split())
    if term.is_glob:
        test = test_of(term)
        return lambda text: any(map(test, text.split()))
    if not term.text:
        return lambda text: False
    fits = re.compile(rf"(?<!\d){re.escape(term.text)}").search
    return lambda text: fits(text) is not None


def _size_pattern(size: str) -> str:
    return r"-?\d+" if size in ("*", "") else re.escape(size).replace(r"\*", r"\d*").replace(r"\?", r"\d")


def source_test_of(term: Text) -> Callable[[str], bool]:
    """The same for source lines written as folder/model.py:42; what is looked for may lack the line."""
    line = _LINE.fullmatch(term.text)
    if line is None:
        file = test_of(term)
        return lambda text: file(text.rpartition(":")[0])
    file = test_of(Text("", line[1], term.is_literal))
    return lambda text: text.endswith(f":{line[2]}") and file(text.rpartition(":")[0])


class Column:
    """One text for each of many rows, few of them different: each different text is tested once."""

    def __init__(self, values: Iterable[Hashable], text_of: Callable[[Any], str] = str) -> None:
        numbers: dict[Hashable, int] = {}
        self._rows = np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)
        self._values = tuple(numbers)
        self._texts = tuple(text_of(value).lower() for value in self._values)

    def told_by(self, text_of: Callable[[Any], str]) -> "Column":
        """The same values by other texts."""
        column = copy(self)
        column._texts = tuple(text_of(value).lower() for value in self._values)
        return column

    @property
    def texts(self) -> tuple[str, ...]:
        """Each different one once."""
        return self._texts

    def where(self, fits: Callable[[str], bool]) -> Bools:
        """The rows (n,) whose text fits; an empty text never does."""
        answers = np.fromiter((bool(text) and fits(text) for text in self._texts), np.bool_, len(self._texts))
        return answers[self._rows] if len(answers) else np.zeros(0, np.bool_)
