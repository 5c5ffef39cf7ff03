"""Expressions over a step's scalars, as `loss > 2 * mean(loss[-20:])`: a small grammar on `ast`, never `eval`.

A name is the scalar's value in this step; with an index or a slice it is one or some of its values so far, this step's
the last: `loss[-1]` is `loss`, `loss[-20:]` the last twenty. `scalars["loss (Adam)"]` is for names that are none of
Python's, `step` is the step's number. Operators are + - * / // % **, comparisons, `and or not`, `a if b else c`;
functions those of `FUNCTIONS`. Numbers are floats; what cannot be computed is NaN, with which no comparison holds but
`!=`.
"""

import ast
import math
import operator
import statistics
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tracer.errors import UsageError

MAX_CHARACTERS = 500
_MAX_NODES = 200
_MAX_DEPTH = 40

History = Mapping[str, Sequence[float]]
"""Values of each scalar in the steps before this one, the oldest first."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression is about: a step, its scalars, and those of the steps before."""

    step: int
    scalars: Mapping[str, float]
    history: History


_Evaluate = Callable[[Scope], Any]


def _spread(values: Sequence[float]) -> float:
    return statistics.pstdev(values) if len(values) < 3 else _fast_std(values)


def _fast_std(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))


FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "abs": abs,
    "min": min,
    "max": max,
    "sum": sum,
    "len": len,
    "mean": lambda values: sum(values) / len(values),
    "median": statistics.median,
    "std": _spread,
    "sqrt": math.sqrt,
    "log": math.log,
    "log10": math.log10,
    "exp": math.exp,
    "isnan": math.isnan,
    "isinf": math.isinf,
    "isfinite": math.isfinite,
}
_OF_SERIES = frozenset({"sum", "len", "mean", "median", "std"})
_BINARY: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: Mapping[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_UNARY: Mapping[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}
_UNCOMPUTABLE = (ArithmeticError, ValueError, TypeError, LookupError, statistics.StatisticsError)


class Expression:
    """A parsed expression. `names` are the scalars that it asks for. Raises UsageError where the text is none."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        tree = _parse(self.text)
        reader = _Reader(self.text)
        self._evaluate = reader.read(tree)
        self.names: frozenset[str] = frozenset(reader.names)

    def value(self, scope: Scope) -> float:
        """The number, True and False as 1 and 0; NaN where it cannot be computed, a scalar being unknown say."""
        try:
            value = self._evaluate(scope)
        except _UNCOMPUTABLE:
            return math.nan
        return float(value) if isinstance(value, (bool, int, float)) else math.nan

    def holds(self, scope: Scope) -> bool:
        """Whether it is true; a number is true unless it is 0 or NaN."""
        value = self.value(scope)
        return value == value and value != 0


class Message:
    """A text with {expressions}, which may be followed by a format: `loss {loss:.3f} at step {step}`."""

    def __init__(self, text: str) -> None:
        """Raises UsageError where a brace is left open or an expression is none."""
        self.parts: list[tuple[str, Expression | None, str]] = []
        try:
            for before, inside, form, _ in string.Formatter().parse(text):
                self.parts.append((before, None if inside is None else Expression(inside), form or ".6g"))
        except ValueError:
            raise UsageError(
                f"The braces of {text!r} do not match; write {{loss}} for a value, {{{{ for a brace."
            ) from None
        for _, expression, form in self.parts:
            if expression is not None:
                _check_form(form)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for _, inside, _ in self.parts if inside is not None for name in inside.names)

    def filled(self, scope: Scope) -> str:
        return "".join(
            before + ("" if inside is None else _filled(inside, form, scope)) for before, inside, form in self.parts
        )


def _filled(inside: Expression, form: str, scope: Scope) -> str:
    """ "?" where it names a scalar that there is none of: NaN would say something else."""
    if not all(name in scope.scalars or name in scope.history for name in inside.names):
        return "?"
    return _formatted(inside.value(scope), form)


def _check_form(form: str) -> None:
    try:
        short = len(form) <= 8
        short and format(1.0, form)
    except ValueError:
        short = False
    if not short:
        raise UsageError(f"{form!r} is no format of a number; write .3f, .6g or .2e.")


def _formatted(value: float, form: str) -> str:
    if form == ".6g" and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return format(value, form)


def _parse(text: str) -> ast.expr:
    if not text:
        raise UsageError("The expression is empty; write, for example, loss > 2.")
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"The expression has {len(text)} characters; at most {MAX_CHARACTERS} are allowed.")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise UsageError(f"{text!r} is no expression; write, for example, loss > 2 * mean(loss[-20:]).") from None
    level, n_nodes, depth = [tree], 0, 0
    while level:
        n_nodes, depth = n_nodes + len(level), depth + 1
        if n_nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise UsageError("The expression is too long; split it into several breakpoints.")
        level = [child for node in level for child in ast.iter_child_nodes(node)]  # type: ignore[misc]
    return tree


class _Reader:
    """Turns a syntax tree, of bounded depth, into nested functions."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.names: set[str] = set()

    def read(self, node: ast.AST) -> _Evaluate:
        reads: dict[type, Callable[[Any], _Evaluate]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Subscript: self._subscript,
            ast.BinOp: self._binary,
            ast.UnaryOp: self._unary,
            ast.Compare: self._comparison,
            ast.BoolOp: self._junction,
            ast.IfExp: self._choice,
            ast.Call: self._call,
        }
        read = reads.get(type(node))
        if read is None:
            raise self._error(node)
        return read(node)

    def _error(self, node: ast.AST) -> UsageError:
        part = ast.get_source_segment(self._text, node) if isinstance(node, ast.expr) else None
        shown = f"{part!r}" if part else "A part"
        return UsageError(
            f"{shown} is not allowed in an expression; use names of scalars, numbers, + - * / % **, comparisons, "
            f"and or not, and {', '.join(FUNCTIONS)}."
        )

    def _constant(self, node: ast.Constant) -> _Evaluate:
        if not isinstance(node.value, (bool, int, float)):
            raise self._error(node)
        try:
            value = float(node.value)
        except OverflowError:
            raise self._error(node) from None
        return lambda scope: value

    def _name(self, node: ast.Name) -> _Evaluate:
        name = node.id
        if name == "step":
            return lambda scope: float(scope.step)
        if name in FUNCTIONS or name == "scalars" or name.startswith("__"):
            raise self._error(node)
        self.names.add(name)
        return lambda scope: scope.scalars[name]

    def _series_name(self, node: ast.expr) -> str:
        """`loss`, or `scalars["loss"]`."""
        if isinstance(node, ast.Name) and node.id not in ("step", "scalars") and node.id not in FUNCTIONS:
            return node.id
        is_quoted = isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "scalars"
        if is_quoted and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):  # type: ignore[attr-defined]
            return node.slice.value  # type: ignore[attr-defined]
        raise self._error(node)

    def _subscript(self, node: ast.Subscript) -> _Evaluate:
        if isinstance(node.value, ast.Name) and node.value.id == "scalars":
            name = self._series_name(node)
            self.names.add(name)
            return lambda scope: scope.scalars[name]
        name = self._series_name(node.value)
        self.names.add(name)
        place = self._place(node.slice)
        if isinstance(place, slice) and place.stop is None and (place.start or 0) < 0:
            n_last = -place.start
            return lambda scope: _last(scope, name, n_last)
        return lambda scope: _so_far(scope, name)[place]

    def _place(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Slice):
            if node.step is not None:
                raise self._error(node)
            ends = (None if end is None else self._whole(end) for end in (node.lower, node.upper))
            return slice(*ends)
        return self._whole(node)

    def _whole(self, node: ast.expr) -> int:
        sign, inner = (
            (-1, node.operand) if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else (1, node)
        )
        if not isinstance(inner, ast.Constant) or type(inner.value) is not int or inner.value > 1_000_000:
            raise self._error(node)
        return sign * inner.value

    def _binary(self, node: ast.BinOp) -> _Evaluate:
        apply = _BINARY.get(type(node.op))
        if apply is None:
            raise self._error(node)
        left, right = self.read(node.left), self.read(node.right)
        return lambda scope: apply(left(scope), right(scope))

    def _unary(self, node: ast.UnaryOp) -> _Evaluate:
        apply = _UNARY.get(type(node.op))
        if apply is None:
            raise self._error(node)
        operand = self.read(node.operand)
        return lambda scope: apply(operand(scope))

    def _comparison(self, node: ast.Compare) -> _Evaluate:
        compares = [_COMPARE.get(type(each)) for each in node.ops]
        if None in compares:
            raise self._error(node)
        operands = [self.read(each) for each in (node.left, *node.comparators)]
        if len(operands) == 2:
            (left, right), compare = operands, compares[0]
            return lambda scope: compare(left(scope), right(scope))  # type: ignore[misc]

        def all_hold(scope: Scope) -> bool:
            values = [operand(scope) for operand in operands]
            pairs = zip(compares, pairwise(values), strict=True)
            return all(compare(*pair) for compare, pair in pairs)  # type: ignore[misc]

        return all_hold

    def _junction(self, node: ast.BoolOp) -> _Evaluate:
        parts = [self.read(each) for each in node.values]
        join = all if isinstance(node.op, ast.And) else any
        return lambda scope: join(_is_true(part(scope)) for part in parts)

    def _choice(self, node: ast.IfExp) -> _Evaluate:
        test, then, otherwise = self.read(node.test), self.read(node.body), self.read(node.orelse)
        return lambda scope: then(scope) if _is_true(test(scope)) else otherwise(scope)

    def _call(self, node: ast.Call) -> _Evaluate:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        function = FUNCTIONS.get(name)
        if function is None or node.keywords or not node.args:
            raise self._error(node)
        if len(node.args) == 1 and isinstance(node.args[0], ast.Name) and name in _OF_SERIES:
            series = self._series_name(node.args[0])  # mean(loss): of all values so far
            self.names.add(series)
            return lambda scope: function(_so_far(scope, series))
        arguments = [self.read(each) for each in node.args]
        if len(arguments) == 1:
            only = arguments[0]
            return lambda scope: function(only(scope))
        return lambda scope: function(*(argument(scope) for argument in arguments))


def _is_true(value: Any) -> bool:
    return bool(value) and value == value


def _so_far(scope: Scope, name: str) -> list[float]:
    """All values, this step's the last where it has one."""
    values = list(scope.history.get(name, ()))
    if name in scope.scalars:
        values.append(scope.scalars[name])
    return values


def _last(scope: Scope, name: str, count: int) -> Sequence[float]:
    """The same for the last few, without copying all of a long history."""
    history = scope.history.get(name, ())
    if name not in scope.scalars:
        return history[-count:]
    return [*(history[1 - count :] if count > 1 else ()), scope.scalars[name]]
