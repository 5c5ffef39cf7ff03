"""An event of kind "exception" in words."""

from collections.abc import Mapping
from typing import Any


def exception_place(data: Mapping[str, Any]) -> str:
    """ "in backward at MulBackward0 in decoder#3", "in forward of encoder#0"; "" where the event does not say."""
    where, node, call = data.get("where"), data.get("op") or data.get("node"), data.get("call") or data.get("module")
    if where == "forward":
        return f"in forward of {call_text(call) or data.get('class') or 'a module'}"
    if where == "backward":
        near = "at" if data.get("is_certain", True) else "at or near"
        return f"in backward{_node_text(near, node, call, data.get('parameter'))}"
    if where == "optimizer":
        return f"in {data.get('optimizer') or 'the optimizer'}"
    return "in the script's own code" if where == "outside" else ""


def call_text(call: object) -> str:
    """A call's key as it is said; "" for none."""
    return "the model itself" if call == "#0" else str(call or "")


def _node_text(near: str, op: object, call: object, parameter: object) -> str:
    if parameter:
        return f" {near} parameter {parameter}"
    inside = f" in {call_text(call)}" if call else ""
    return f" {near} {op}{inside}" if op else inside
