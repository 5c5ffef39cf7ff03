"""What a terminal would make of a program's output: escape codes dropped, carriage returns overwriting the line."""

import codecs
import re
from dataclasses import dataclass

# CSI and OSC sequences, then any other two-character escape (ECMA-48, XTerm control sequences).
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_UNFINISHED_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?)?$")
_LONGEST_ESCAPE = 4096


@dataclass(frozen=True, slots=True)
class Output:
    """The lines that a piece of output finished, and the line begun since then as it looks now."""

    finished: tuple[str, ...]
    current: str


class Terminal:
    """One stream. Bytes may be cut anywhere: in a character, in an escape code, between a return and its newline."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._line = ""
        self._returned = False

    def feed(self, data: bytes) -> Output:
        text = self._pending + self._decoder.decode(data)
        self._pending = ""
        unfinished = _UNFINISHED_ESCAPE.search(text, max(0, len(text) - _LONGEST_ESCAPE))
        if unfinished:
            text, self._pending = text[: unfinished.start()], unfinished.group()
        pieces = _ESCAPE.sub("", text).split("\n")
        finished = []
        for piece in pieces[:-1]:
            self._write(piece)
            finished.append(self._line)
            self._line, self._returned = "", False
        self._write(pieces[-1])
        return Output(tuple(finished), self._line)

    def _write(self, piece: str) -> None:
        for number, part in enumerate(piece.split("\r")):
            if number:
                self._returned = True
            if part and self._returned:
                # A shorter line overwrites only its length; what stood behind it stays, as on a real terminal.
                self._line = part + self._line[len(part) :]
                self._returned = False
            else:
                self._line += part
