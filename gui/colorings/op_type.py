"""Colour by family of operation, read from the name of the backward node ("AddmmBackward0" is linear algebra)."""

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
    if box.kind != "op":
        return _BY_KIND[box.kind]
    op = next((graph.nodes[member].get("op", "") for member in box.members if member in graph), "")
    return family_of(op)


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
