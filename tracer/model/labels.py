"""What is written on the boxes and frames of a drawing."""

import re
from collections.abc import Mapping, Set
from typing import Any

from tracer.model.call_tree import Call


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
    path, _, number = key.rpartition("#")
    shows_number = path in repeated or number != "0"
    return (path or model) + (f" #{number}" if shows_number else "")


def node_labels(key: str, node: Mapping[str, Any]) -> tuple[str, str]:
    """Title and subtitle of an op, a parameter, an input or an output."""
    if node["kind"] == "parameter":
        return (node.get("parameter") or key).rpartition(".")[2], shape_text(node["shapes"])
    if node["kind"] == "op":
        return op_title(node["op"]), shape_text(node["shapes"])
    return key, shape_text(node["shapes"])


def call_title(call: Call, is_repeated: bool) -> str:
    """The last word of the path, two where that is only a number, the class for the root; with #3 if repeated."""
    words = call.path.split(".")
    title = ".".join(words[-2:] if words[-1].isdecimal() else words[-1:]) or call.class_name
    return f"{title} #{call.number}" if is_repeated else title


def call_subtitle(class_name: str, ops: int) -> str:
    return f"{class_name} · {ops} {'op' if ops == 1 else 'ops'}"


def with_op_count(subtitle: str, ops: int) -> str:
    """The subtitle of a closed call with another number of ops."""
    return call_subtitle(subtitle.rpartition(" · ")[0], ops)


def frame_title(call: Call, is_repeated: bool) -> str:
    title = call_title(call, is_repeated)
    return title if title == call.class_name else f"{title} · {call.class_name}"
