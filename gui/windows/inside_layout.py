"""The thread that lays out what is inside an opaque node; a compiled model has thousands of ops."""

import networkx as nx
from PySide6.QtCore import QObject, QThread, Signal

from tracer.layout import Cancelled, Layout, lay_out
from tracer.model.view_builder import ViewOptions, build_view


class InsideLayout(QThread):
    """Lays out one graph once."""

    laid_out = Signal(object)  # Layout

    def __init__(
        self, graph: nx.MultiDiGraph, shows_parameters: bool, previous: Layout | None, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._graph = graph
        self._options = ViewOptions(show_parameters=shows_parameters, show_bookkeeping=True, folds_repeats=False)
        self._previous = previous

    def run(self) -> None:
        try:
            layout = lay_out(
                build_view(self._graph, self._options), self._previous, cancelled=self.isInterruptionRequested
            )
        except Cancelled:
            return
        self.laid_out.emit(layout)

    def finish(self) -> None:
        """Ends the thread and waits for it, some milliseconds."""
        self.requestInterruption()
        self.wait()
