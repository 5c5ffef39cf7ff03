"""Positions and edge paths for a view: `lay_out(view)`. Pure data in and out; no Qt, no torch."""

from tracer.layout.compound import lay_out, shift_between
from tracer.layout.frames import LayoutCache
from tracer.layout.result import Layout
from tracer.layout.watch import Cancelled

__all__ = ["Cancelled", "Layout", "LayoutCache", "lay_out", "shift_between"]
