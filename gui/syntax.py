"""Python source in colours: which part of each line is a keyword, a string, a comment and so on."""

from collections.abc import Iterator

from pygments.lexers.python import PythonLexer
from pygments.token import Token

Span = tuple[int, int, str]
"""Start and length in UTF-16 units, as Qt counts, and the kind: a key of `Theme.syntax`."""

_KINDS = {
    Token.Comment: "comment",
    Token.Keyword: "keyword",
    Token.Operator.Word: "keyword",
    Token.Literal.String: "string",
    Token.Literal.Number: "number",
    Token.Name.Function: "definition",
    Token.Name.Class: "definition",
    Token.Name.Decorator: "decorator",
    Token.Name.Builtin: "builtin",
    Token.Name.Exception: "builtin",
}
_PLAIN = frozenset({Token.Literal.String.Interpol, Token.Name.Builtin.Pseudo})
SELF = frozenset({"self", "cls"})


def prepare() -> None:
    """Has the lexer make its tables, some 50 ms the first time: best in a thread."""
    PythonLexer()


def spans_of(text: str) -> Iterator[list[Span]]:
    """Those of each line of `text` (lines end in "\n" alone), as they are asked for: some 2 µs a character."""
    line: list[Span] = []
    column = 0
    for _, token, value in PythonLexer().get_tokens_unprocessed(text):
        kind = _kind(token, value)
        for number, part in enumerate(value.split("\n")):
            if number:
                yield line
                line, column = [], 0
            width = len(part) if part.isascii() else len(part.encode("utf-16-le")) // 2
            if kind and width:
                line.append((column, width, kind))
            column += width
    yield line


def _kind(token: object, value: str) -> str:
    """ "" for plain text."""
    if token is Token.Name.Builtin.Pseudo and value not in SELF:
        return "builtin"
    while token is not None and token not in _PLAIN:
        if token in _KINDS:
            return _KINDS[token]
        token = token.parent
    return ""
