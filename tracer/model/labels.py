"""What is written on the boxes and frames of a drawing."""

import re
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from itertools import pairwise
from typing import Any

from tracer.model.call_keys import unmarked
from tracer.model.call_tree import LIVE, NO_GRAD, Call

_NUMBERED = re.compile(r"(\D*)(\d+)(\D*)")
_FEW_NUMBERS = 4


@lru_cache(maxsize=4096)
def op_title(name: str) -> str:
    """AddmmBackward0 is Addmm, torch::autograd::CopySlices is CopySlices, CppNode<Mine> is Mine."""
    name = re.sub(r"^.*CppNode<(.*)>$", r"\1", name).rpartition("::")[2]
    return re.sub(r"Backward\d*$", "", name) or name


def shape_text(shapes: list[list[int]]) -> str:
    """The first shape, as 64×128; nothing where none is known."""
    if not shapes:
        return ""
    return "×".join(str(size) for size in shapes[0]) or "scalar"


def key_label(key: str, model: str, repeated: Set[str]) -> str:
    """What a node key or call key is called: `#0/ReluBackward0:0` is "Net · Relu", `cell#3` is "cell #3".

    `model` is the class of the model, whose path is empty; calls of the `repeated` paths bear their number even where
    it is 0. Keys of parameters and outputs are names already.
    """
    call, slash, op = key.rpartition("/")
    if not slash and "#" in key:
        return _call_label(key, model, repeated)
    name, _, number = op.rpartition(":")
    if not name or not number.isdecimal():
        return key
    title = op_title(name) + (f" #{number}" if number != "0" else "")
    return f"{_call_label(call, model, repeated)} · {title}" if call else title


def _call_label(key: str, model: str, repeated: Set[str]) -> str:
    key, mark = unmarked(key)
    path, _, number = key.rpartition("#")
    shows_number = path in repeated or number != "0"
    return (path or model) + (f" #{number}" if shows_number else "") + (f" ({NO_GRAD})" if mark else "")


def node_labels(key: str, node: Mapping[str, Any], path: str = "") -> tuple[str, str]:
    """Title and subtitle of an op, a parameter, an input or an output, for one who knows the module at `path`."""
    if node["kind"] == "parameter":
        return name_within(node.get("parameter") or key, path), shape_text(node["shapes"])
    if node["kind"] == "op":
        return op_title(node["op"]), shape_text(node["shapes"])
    return node.get("target") or key, shape_text(node["shapes"])


def name_within(name: str, path: str) -> str:
    """A parameter's name without what it shares with a module's path: `stem.weight` in `stem` is "weight"."""
    words, known = name.split("."), path.split(".")
    shared = 0
    while shared < min(len(words) - 1, len(known)) and words[shared] == known[shared]:
        shared += 1
    return ".".join(words[shared:])


def call_title(call: Call, is_repeated: bool) -> str:
    """The last word of the path, two where that is only a number, the class for the root; with #3 if repeated."""
    words = call.path.split(".")
    title = ".".join(words[-2:] if words[-1].isdecimal() else words[-1:]) or call.class_name
    return f"{title} #{call.number}" if is_repeated else title


def fold_title(title: str, count: int, before: int | None = None) -> str:
    """What is drawn once and stands for `count` copies, `before` of them in the step it is compared with."""
    copies = f"×{count:,}" if before is None or before == count else f"×{before:,} → ×{count:,}"
    return f"{title} {copies}"


def title_of_paths(paths: Sequence[str]) -> str:
    """The title of calls that are drawn as one: `layers.0`, `layers.1`, `layers.2` are "layers.0–2"; where numbers are
    left out between them, a few are told one by one and more with an ellipsis; nothing for the model itself."""
    words = [path.split(".") for path in paths]
    first, last = words[0], words[-1]
    shown = max(len(first) - (2 if first[-1].isdecimal() else 1), 0)
    differing = [at for at, word in enumerate(first) if len(first) != len(last) or word != last[at]]
    if len(differing) > 1:
        return f"{'.'.join(first[shown:])} … {'.'.join(last[shown:])}"
    if differing:
        at = differing[0]
        shown = max(min(shown, at - 1 if first[at].isdecimal() else at), 0)
        return ".".join((*first[shown:at], _range([each[at] for each in words]), *first[at + 1 :]))
    return ".".join(first[shown:])


def _range(words: Sequence[str]) -> str:
    """fc1 to fc4 is "fc1–4"."""
    parts = [match.groups() for word in words if (match := _NUMBERED.fullmatch(word))]
    if len(parts) < len(words) or len({(before, after) for before, _, after in parts}) > 1:
        return f"{words[0]} … {words[-1]}"
    numbers = [int(number) for _, number, _ in parts]
    is_gapless = all(after == before + 1 for before, after in pairwise(numbers))
    before, number, after = parts[0]
    if not is_gapless and len(numbers) <= _FEW_NUMBERS and numbers == sorted(numbers):
        return f"{before}{','.join(map(str, numbers))}{after}"
    return f"{before}{number}{'–' if is_gapless else ' … '}{numbers[-1]}{after}"


def call_subtitle(class_name: str, ops: int) -> str:
    return f"{class_name} · {ops} {'op' if ops == 1 else 'ops'}"


def with_op_count(subtitle: str, ops: int) -> str:
    """The subtitle of a closed call with another number of ops."""
    return call_subtitle(subtitle.rpartition(" · ")[0], ops)


def frame_title(call: Call, calls: Mapping[str, Call], is_repeated: bool) -> str:
    title, state = call_title(call, is_repeated), state_text(call, calls)
    words = (title, "" if title == call.class_name else call.class_name, state)
    return " · ".join(word for word in words if word)


def graphless_subtitle(call: Call, calls: Mapping[str, Call]) -> str:
    """Of a call that made no nodes: its class, and why if the call around it does not say so already."""
    state = state_text(call, calls)
    return f"{call.class_name} · {state}" if state else call.class_name


def state_text(call: Call, calls: Mapping[str, Call]) -> str:
    """Why a call made no nodes, and how many calls it stands for; nothing where it made some, or where the call around
    it says the same."""
    around = None if call.parent is None else calls.get(call.parent)
    if call.state == LIVE or (around is not None and around.state == call.state):
        return ""
    return f"{call.state} ×{call.count:,}" if call.count > 1 else call.state
