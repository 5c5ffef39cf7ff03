"""Colour by family of operation, read from the name of the backward node ("AddmmBackward0" is linear algebra).

A closed module, and a fold of such, has the colour of its ops where they are of one family: a Conv2d is a
convolution. Views beside others do not count, so a Linear is linear algebra though it transposes its weight.
"""

import re
from functools import lru_cache

import networkx as nx

from gui.coloring import Coloration, Subject, by_label
from gui.theme import Swatch, Theme
from tracer.model.view import Box

NAME = "op_type"
TITLE = "Type of operation"
GROUP, ORDER, LEVEL = "structure", 1, "structure"

# Pieces of names that settle the family, tried in this order.
_PIECES = {
    "Loss": ("loss", "entropy", "kldiv"),
    "Convolution": ("conv",),
    "Softmax and attention": ("softmax", "attention"),
    "Normalisation and dropout": ("batchnorm", "layernorm", "groupnorm", "rmsnorm", "dropout", "bernoulli"),
    "Pooling and resampling": ("pool", "upsample", "gridsampler"),
    "Activation": ("relu", "gelu", "silu", "sigmoid", "tanh", "hardswish", "softplus", "mish", "elu", "glu"),
}
_NAMES = {
    "Linear algebra": "addmm mm bmm baddbmm addbmm linear matmul mv addmv dot outer ger einsum linalgvectornorm",
    "Arithmetic and reduction": "add sub rsub mul div neg exp log log1p expm1 sqrt rsqrt pow abs sin cos erf reciprocal"
    " lerp addcmul addcdiv where clamp maximum minimum round floor sign maskedfill sum mean var std varmean stdmean max"
    " min amax amin norm prod logsumexp cumsum cumprod sort topk median",
    "View and indexing": "view unsafeview reshapealias viewas t transpose permute expand squeeze unsqueeze slice select"
    " split splitwithsizes unbind chunk cat stack clone copy asstrided alias narrow tocopy contiguous repeat flip roll"
    " index indexput indexselect gather scatter scatteradd embedding copyslices detach diagonal unfold fold pad"
    " constantpadnd",
}
_FAMILY_OF = {name: family for family, names in _NAMES.items() for name in names.split()}
_VIEWS = "View and indexing"
# The first hue, blue, is left to closed modules.
_HUES = (
    *("Module, closed", "Linear algebra", "Activation", "Loss", "Softmax and attention"),
    *("Normalisation and dropout", "Convolution", "Pooling and resampling", "Arithmetic and reduction"),
)
_BY_KIND = {"module": "Module, closed", "parameter": "Parameter", "input": "Input", "output": "Output"}
_KINDS = {label: kind for kind, label in _BY_KIND.items()}


def colored(subject: Subject, theme: Theme) -> Coloration:
    return by_label(subject, NAME, label_of, swatch_of, theme)


def label_of(box: Box, graph: nx.MultiDiGraph) -> str:
    if box.kind not in ("op", "module"):
        return _BY_KIND[box.kind]
    if box.kind == "op":
        return family_of(next((graph.nodes[member].get("op", "") for member in box.members if member in graph), ""))
    return _family_inside(box, graph) or _BY_KIND["module"]


def _family_inside(box: Box, graph: nx.MultiDiGraph) -> str:
    """The family of all ops of a module, "" where it has none, or of several."""
    found = ""
    for member in box.members:
        node = graph.nodes[member] if member in graph else {}
        if node.get("kind") != "op":
            continue
        family = family_of(node.get("op", ""))
        if found not in ("", _VIEWS) and family not in (found, _VIEWS):
            return ""
        found = found if found not in ("", _VIEWS) else family
    return found


def swatch_of(label: str, order: int, theme: Theme) -> Swatch:
    if label in _KINDS:
        return theme.kinds[_KINDS[label]]
    if label not in _HUES:
        return theme.neutral
    return theme.categories[_HUES.index(label) % len(theme.categories)]


@lru_cache(maxsize=4_096)
def family_of(op: str) -> str:
    """The family of a backward node's name, "Other" where it says nothing."""
    name = re.sub(r"Backward\d*$", "", op).rpartition("::")[2].lower().replace("_", "")
    for family, pieces in _PIECES.items():
        if any(piece in name for piece in pieces):
            return family
    return _FAMILY_OF.get(name, "Other")
