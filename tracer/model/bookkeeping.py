"""Ops that only change how the same numbers are looked at. Drawings hide them unless asked."""

# Ops that pick part of a tensor (slice, select, split, …) are not here: what they leave out matters to a reader.
BOOKKEEPING_OPS = frozenset(
    {
        "AliasBackward0",
        "AsStridedBackward0",
        "ExpandBackward0",
        "MovedimBackward0",
        "PermuteBackward0",
        "ReshapeAliasBackward0",
        "SqueezeBackward0",
        "SqueezeBackward1",
        "SqueezeBackward2",
        "TBackward0",
        "TransposeBackward0",
        "TransposeBackward1",
        "UnflattenBackward0",
        "UnsafeViewBackward0",
        "UnsqueezeBackward0",
        "ViewAsBackward0",
        "ViewBackward0",
    }
)
