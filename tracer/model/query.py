"""The language in which a tape is asked: `op:addmm module:layer3.*`, `steps where module:layer4 did not run`.

    query       = ["steps where"] either
    either      = all ("or" all)*
    all         = part (["and"] part)*
    part        = ("not" | "-") part | "(" either ")" | term
    term        = word | "quoted text" | field:value | flag | comparison | of steps: module ran | name finite
    comparison  = name ["%" whole number] ("<" | "<=" | ">" | ">=" | "=" | "!=") number
    module ran  = (word | module:value | class:value) ("ran" [comparison] | "not ran" | "did not run")
    name finite = word ["is"] ["not"] "finite"

What a query means is said by `search` for nodes and by `step_search` for steps. Everything but quoted text is taken
without regard to case.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import TypeAlias

from tracer.errors import QueryError

STEPS = "steps where"
NODE_FIELDS = ("op", "module", "class", "param", "shape", "dtype", "device", "source", "kind", "call", "pass")
STEP_FIELDS = ("structure", "phase", "optimizer", "event", "level")
KINDS = ("op", "parameter", "input", "output", "module")
CHANGES = ("added", "removed", "changed")
NODE_FLAGS = (*CHANGES, "opaque", "unreached")
STEP_FLAGS = ("changed", "shape changed", "new", "opaque", "unreached")
QUANTITIES = (
    *("backward_secs", "forward_secs", "grad_norm", "has_grad", "infs", "max", "mean", "min", "nans", "saved_bytes"),
    *("std", "update_norm", "update_ratio", "value_norm", "zeros"),
)
"""What is measured of nodes, parameters and module calls: see `tracer.model.statistics`."""

MAX_CHARS = 4_000
MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Text:
    """`field` is "" for any. `text` is in lower case with "x" between sizes; where it is literal, `*` means itself."""

    field: str
    text: str
    is_literal: bool = False
    at: int = dataclasses.field(default=0, compare=False)

    @property
    def is_glob(self) -> bool:
        return not self.is_literal and _GLOB.search(self.text) is not None


@dataclass(frozen=True, slots=True)
class Flag:
    name: str
    at: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A comparison; with a `modulus`, of what is left of a division by it."""

    name: str
    operator: str
    value: float
    modulus: int | None = None
    at: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Finite:
    name: str
    is_finite: bool
    at: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Ran:
    """How often a module that fits `module` ran in a step."""

    module: Text
    operator: str = ">="
    value: float = 1.0


@dataclass(frozen=True, slots=True)
class Not:
    part: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Expression", ...]


Term: TypeAlias = Text | Flag | Number | Finite | Ran
Expression: TypeAlias = Term | Not | And | Or


@dataclass(frozen=True, slots=True)
class Query:
    """`expression` is None where nothing is asked."""

    expression: Expression | None
    is_about_steps: bool = False

    def __bool__(self) -> bool:
        return self.expression is not None

    def __str__(self) -> str:
        words = [STEPS] if self.is_about_steps else []
        return " ".join([*words, *([] if self.expression is None else [_written(self.expression)])])


def terms(expression: Expression) -> Iterator[Term]:
    """All that is asked for, without how it is joined."""
    if isinstance(expression, And | Or):
        for part in expression.parts:
            yield from terms(part)
    elif isinstance(expression, Not):
        yield from terms(expression.part)
    else:
        yield expression


def parse(text: str, *, is_about_steps: bool = False) -> Query:
    """What the user typed; about steps also without the words that say so. Raises QueryError, whatever is wrong."""
    if len(text) > MAX_CHARS:
        raise QueryError(f"A query has at most {MAX_CHARS:,} characters; this one has {len(text):,}.")
    # Character by character, so that places stay what they are.
    text = "".join("x" if char == "×" else low if len(low := char.lower()) == 1 else char for char in text)
    prefix = _STEPS.match(text)
    is_about_steps = is_about_steps or prefix is not None
    tokens = list(_tokens(text, prefix.end() if prefix is not None else 0))
    if not tokens:
        return Query(None, is_about_steps)
    return Query(_Parser(tokens, len(text), is_about_steps).parse(), is_about_steps)


_SIGNS = ("(", ")", "-")
_END = "\0"  # what comes after the last token
_GLOB = re.compile(r"[*?\[]")
_STEPS = re.compile(r"\s*steps\s+where(?=[\s(\"]|$)")
_SPACE = re.compile(r"\s+")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
# "64 x 128" is one word, and so is "cell #1".
_SPACED_SHAPE = re.compile(r"[\d*?]+(?:\s+x\s+[\d*?]+)+(?=[\s)]|$)")
_TEMPLATE = re.compile(r"[\w:]+<[a-z_][\w:]*>")
_FIELD = re.compile(r"([a-z_]+):(?!:)\s*")
_NODE_NUMBER = re.compile(r"\d+(?=[\s)]|$)")
_SIZES = re.compile(r"\[[^\]()\"]*\]")
_COMPARED = re.compile(r'([^\s()"<>=!%]+|"(?:[^"]|"")*")\s*(?:%\s*(\d+)\s*)?(<=|>=|==|!=|<|>|=)\s*')
_NUMBER = re.compile(r"[-+]?(?:inf\b|(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)(?=[\s)]|$)")
_WORD = re.compile(r'[^\s()"]+(?:\s+#\d+(?=[\s)]|$))?')
_PLAIN_NAME = re.compile(r"[a-z_][\w./]*")
_PLAIN_TEXT = re.compile(r"\w[\w./#,-]*")
_RESERVED = {
    *("and", "or", "not", "ran", "did", "run", "never", "is", "finite", "shape", "structure", "x"),
    *(word for flag in (*NODE_FLAGS, *STEP_FLAGS) for word in flag.split()),
}
"""Words that are quoted where they are meant as text."""


@dataclass(frozen=True, slots=True)
class _Token:
    """`kind` is one of "(", ")", "-", "word", "quoted", "field", "number"."""

    kind: str
    at: int
    text: str = ""
    field: str = ""
    is_quoted: bool = False
    number: Number | None = None

    @property
    def keyword(self) -> str:
        return self.text if self.kind == "word" else self.kind if self.kind in _SIGNS else ""


def _tokens(text: str, at: int) -> Iterator[_Token]:
    while at < len(text):
        space = _SPACE.match(text, at)
        if space is not None:
            at = space.end()
            continue
        token, at = _token(text, at)
        yield token


def _token(text: str, at: int) -> tuple[_Token, int]:
    """What begins at a character that is no space, and where it ends."""
    if text[at] in "()":
        return _Token(text[at], at), at + 1
    if text[at] == "-" and at + 1 < len(text) and not text[at + 1].isspace():
        return _Token("-", at), at + 1
    template = _TEMPLATE.match(text, at)
    compared = None if template is not None else _COMPARED.match(text, at)
    if compared is not None and not _has_field(text, at):
        return _comparison(text, at, compared)
    named = _FIELD.match(text, at)
    if named is not None and not _is_key(text, named):
        return _field(text, at, named)
    if text[at] == '"':
        content, end = _quoted(text, at)
        return _Token("quoted", at, content), end
    word = _SPACED_SHAPE.match(text, at) or _WORD.match(text, at)
    assert word is not None  # neither space, parenthesis nor quote
    return _Token("word", at, _plain(word[0])), word.end()


def _has_field(text: str, at: int) -> bool:
    """Whether what looks like a comparison is a field's value: `source:a=b.py`."""
    named = _FIELD.match(text, at)
    return named is not None and named[1] in (*NODE_FIELDS, *STEP_FIELDS)


def _is_key(text: str, named: re.Match[str]) -> bool:
    """Whether it is a node's number that follows the colon: `output:0`."""
    is_known = named[1] in (*NODE_FIELDS, *STEP_FIELDS)
    return not is_known and named[0].endswith(":") and _NODE_NUMBER.match(text, named.end()) is not None


def _field(text: str, at: int, named: re.Match[str]) -> tuple[_Token, int]:
    name, start = named[1], named.end()
    if text.startswith('"', start):
        content, end = _quoted(text, start)
        return _Token("field", at, content, name, is_quoted=True), end
    sizes = _SIZES.match(text, start) if name == "shape" else None
    if name == "shape" and sizes is None and text.startswith("[", start):
        raise QueryError("This bracket is not closed; write a shape as [64,*].", start)
    value = sizes or _SPACED_SHAPE.match(text, start) or _WORD.match(text, start)
    if value is None:
        return _Token("field", at, "", name), start
    return _Token("field", at, _plain(value[0]), name), value.end()


def _quoted(text: str, at: int) -> tuple[str, int]:
    found = _QUOTED.match(text, at)
    if found is None:
        raise QueryError('This quote is not closed; write " after it.', at)
    return found[1].replace('""', '"'), found.end()


def _comparison(text: str, at: int, compared: re.Match[str]) -> tuple[_Token, int]:
    name, modulus, operator = compared.groups()
    value = _NUMBER.match(text, compared.end())
    shown = " ".join(text[at : compared.end()].split())
    if value is None:
        raise QueryError(f"A number has to follow {shown!r}, for example {shown} 0.5.", compared.end())
    if modulus is not None and not int(modulus):
        raise QueryError("Nothing can be divided by 0; write a number from 1 on after %.", at)
    name = name[1:-1].replace('""', '"') if name.startswith('"') else name
    operator = "=" if operator == "==" else operator
    number = Number(name, operator, float(value[0]), None if modulus is None else int(modulus), at)
    return _Token("number", at, number=number), value.end()


def _plain(word: str) -> str:
    """Without the spaces in "64 x 128" and "cell #1"."""
    return _SPACE.sub("", word)


class _Parser:
    """By recursive descent; parentheses and `not` may be MAX_DEPTH deep."""

    def __init__(self, tokens: list[_Token], length: int, is_about_steps: bool) -> None:
        self._tokens = tokens
        self._length = length
        self._is_about_steps = is_about_steps
        self._place = 0
        self._depth = 0

    def parse(self) -> Expression:
        expression = self._either()
        if self._place < len(self._tokens):
            raise QueryError("This parenthesis closes nothing; leave it out.", self._at)
        return expression

    @property
    def _keyword(self) -> str:
        return self._keyword_after(0)

    def _keyword_after(self, count: int) -> str:
        place = self._place + count
        return self._tokens[place].keyword if place < len(self._tokens) else _END

    @property
    def _at(self) -> int:
        return self._tokens[self._place].at if self._place < len(self._tokens) else self._length

    def _take(self, *words: str) -> bool:
        """Goes past these words, if they come next."""
        does = all(self._keyword_after(count) == word for count, word in enumerate(words))
        self._place += len(words) if does else 0
        return does

    def _either(self) -> Expression:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Expression:
        parts = [self._part()]
        while self._keyword not in ("or", ")", _END):
            self._take("and")
            parts.append(self._part())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _part(self) -> Expression:
        at = self._at
        if self._take("not") or self._take("-"):
            return Not(self._deeper(self._part, at))
        if self._take("("):
            part = self._deeper(self._either, at)
            if not self._take(")"):
                raise QueryError("This parenthesis is not closed; write ) after it.", at)
            return part
        if self._keyword in (")", "or", "and", _END):
            raise QueryError("Something to look for is missing here, for example op:relu.", at)
        return self._term()

    def _deeper(self, rule: Callable[[], Expression], at: int) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise QueryError(f"Parentheses and not go at most {MAX_DEPTH} deep; write the query flatter.", at)
        part = rule()
        self._depth -= 1
        return part

    def _term(self) -> Expression:
        flag = self._flag()
        if flag is not None:
            return flag
        token = self._tokens[self._place]
        self._place += 1
        if token.number is not None:
            return self._checked_number(token.number)
        is_quoted = token.is_quoted or token.kind == "quoted"
        term = Text(token.field, token.text, is_quoted and _GLOB.search(token.text) is not None, token.at)
        if token.kind == "field":
            self._check_field(term)
        return self._asked_of_steps(term)

    def _flag(self) -> Flag | None:
        at = self._at
        if self._is_about_steps:
            if self._take("shape", "changed"):
                return Flag("shape changed", at)
            if self._take("structure", "changed"):
                return Flag("changed", at)
            if self._keyword in ("added", "removed"):
                words = f"{self._keyword!r} compares the nodes of two steps"
                raise QueryError(f"{words}; ask for it without {STEPS!r}, or for 'changed'.", at)
        flags = STEP_FLAGS if self._is_about_steps else NODE_FLAGS
        return next((Flag(name, at) for name in flags if self._take(name)), None)

    def _checked_number(self, number: Number) -> Number:
        if not self._is_about_steps and number.name not in QUANTITIES:
            known = ", ".join(QUANTITIES)
            asked = dataclasses.replace(number, value=int(number.value) if number.value.is_integer() else number.value)
            raise QueryError(
                f"{number.name!r} is measured of no node; there are {known}. Scalars are asked for by "
                f"{Query(asked, is_about_steps=True)}.",
                number.at,
            )
        return number

    def _check_field(self, term: Text) -> None:
        if term.field in STEP_FIELDS and not self._is_about_steps:
            raise QueryError(f"'{term.field}:' is asked of steps; begin with {STEPS!r}.", term.at)
        known = (*NODE_FIELDS, *(STEP_FIELDS if self._is_about_steps else ()))
        if term.field not in known:
            raise QueryError(f"There is no field '{term.field}:'; there are {', '.join(known)}.", term.at)
        if term.field in ("call", "pass") and term.text and not term.text.isdecimal():
            raise QueryError(f"'{term.field}:' takes a whole number, for example {term.field}:1.", term.at)
        if term.field == "kind" and term.text and not any(kind.startswith(term.text) for kind in KINDS):
            raise QueryError(f"There is no kind {term.text!r}; there are {', '.join(KINDS)}.", term.at)

    def _asked_of_steps(self, term: Text) -> Expression:
        """What may follow a module's or a scalar's name."""
        if term.field not in ("", "module", "class") or not term.text:
            return term
        if not self._is_about_steps:
            if term.field and self._keyword in ("ran", "did"):
                raise QueryError(f"Whether a module ran is asked of steps; begin with {STEPS!r}.", self._at)
            return term
        following = self._tokens[self._place] if self._place < len(self._tokens) else None
        number = None if following is None else following.number
        if number is not None and number.name == "ran" and number.modulus is None:
            self._place += 1
            return Ran(term, number.operator, number.value)
        if self._take("ran"):
            return Ran(term)
        if self._take("did", "not", "run") or self._take("not", "ran") or self._take("never", "ran"):
            return Ran(term, "<", 1.0)
        return self._finite(term) if not term.field else term

    def _finite(self, term: Text) -> Expression:
        if self._take("not", "finite") or self._take("is", "not", "finite"):
            return Finite(term.text, False, term.at)
        if self._take("finite") or self._take("is", "finite"):
            return Finite(term.text, True, term.at)
        return term


def _written(expression: Expression) -> str:
    """In a form that is read as the same expression."""
    if isinstance(expression, And):
        return " ".join(_enclosed(part, And | Or) for part in expression.parts)
    if isinstance(expression, Or):
        return " or ".join(_enclosed(part, Or) for part in expression.parts)
    if isinstance(expression, Not):
        return f"not {_enclosed(expression.part, And | Or)}"
    if isinstance(expression, Ran):
        is_plain = (expression.operator, expression.value) == (">=", 1.0)
        return f"{_written(expression.module)} ran" + (
            "" if is_plain else f" {expression.operator} {expression.value!r}"
        )
    if isinstance(expression, Number):
        rest = "" if expression.modulus is None else f" % {expression.modulus}"
        return f"{_named(expression.name)}{rest} {expression.operator} {expression.value!r}"
    if isinstance(expression, Finite):
        return f"{_as_text(expression.name, False)} is {'' if expression.is_finite else 'not '}finite"
    if isinstance(expression, Flag):
        return expression.name
    text = _as_text(expression.text, expression.is_literal)
    return f"{expression.field}:{text}" if expression.field else text


def _enclosed(part: Expression, kinds: type | UnionType) -> str:
    return f"({_written(part)})" if isinstance(part, kinds) else _written(part)


def _named(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else _quoted_form(name)


def _as_text(text: str, is_literal: bool) -> str:
    is_glob = not is_literal and _GLOB.search(text) is not None
    is_plain = _PLAIN_TEXT.fullmatch(text) is not None and text not in _RESERVED
    return text if is_glob or is_plain else _quoted_form(text)


def _quoted_form(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
