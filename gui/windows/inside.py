"""A window on what is inside an opaque node: the FX graph that `torch.compile` handed to its backend."""

import networkx as nx
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction, QCloseEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QMainWindow, QToolBar, QWidget

from gui import format as fmt
from gui.appearance import Appearance
from gui.canvas.canvas import GraphCanvas
from gui.canvas.scene import scene_for
from gui.colorings import DEFAULT, colorings
from gui.plain_text import PlainLabel
from gui.theme import Theme
from gui.windows.inside_layout import InsideLayout
from tracer.layout import Layout
from tracer.model.inside import as_drawable, node_text


class InsideWindow(QMainWindow):
    """The same canvas, with a line on the selected node below; Escape closes it. The layout is made in a thread."""

    def __init__(self, inside: nx.MultiDiGraph, node_name: str, appearance: Appearance, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle(f"{node_name} – {inside.graph['title']}")
        self.resize(900, 720)
        self._graph = as_drawable(inside)
        self._appearance = appearance
        self._layout: Layout | None = None
        self._thread: InsideLayout | None = None
        self.canvas = GraphCanvas(appearance.theme)
        self.canvas.setAccessibleName(self.tr("Graph inside the node"))
        self.canvas.placeholder = self.tr("Laying out {0}…").format(fmt.plural(len(inside), "node"))
        self._facts = PlainLabel()
        self._facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._place(fmt.plural(len(inside), "node"))
        self.canvas.box_selected.connect(self._show_facts)
        appearance.theme_changed.connect(self._dress)
        self._lay_out()

    def _place(self, size: str) -> None:
        self.setCentralWidget(self.canvas)
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self._facts, 1)
        self.statusBar().addPermanentWidget(PlainLabel(size))
        bar = QToolBar(self.tr("Tools"))
        bar.setMovable(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.parameters = self._action(bar, self.tr("Parameters"), "P", self.tr("Draw parameters and buffers"))
        self.parameters.setCheckable(True)
        self.parameters.setChecked(True)
        self.parameters.toggled.connect(self._lay_out)
        self._action(bar, self.tr("Fit view"), "", self.tr("Show the whole graph (F)")).triggered.connect(
            self.canvas.fit
        )
        close = QAction(self.tr("Close"), self)
        close.setShortcut(QKeySequence("Ctrl+W"))
        close.triggered.connect(self.close)
        self.addAction(close)
        self.addToolBar(bar)

    def _action(self, bar: QToolBar, text: str, shortcut: str, tip: str) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(shortcut))
        action.setToolTip(f"{tip} ({shortcut})" if shortcut else tip)
        bar.addAction(action)
        return action

    @Slot()
    def _lay_out(self) -> None:
        self._finish_thread()
        self._thread = InsideLayout(self._graph, self.parameters.isChecked(), self._layout, self)
        self._thread.laid_out.connect(self._show)
        self._thread.start()

    @Slot(object)
    def _show(self, layout: Layout) -> None:
        self._layout = layout
        self.canvas.set_scene(scene_for(layout, self._graph, None, colorings()[DEFAULT], self._appearance.theme))
        self._show_facts(self.canvas.selected_key)

    @Slot(str)
    def _show_facts(self, key: str) -> None:
        node = key.partition("@")[0]
        self._facts.setText(node_text(node, self._graph.nodes[node]) if node in self._graph else "")

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self.canvas.set_theme(theme)
        if self._layout is not None:
            self._show(self._layout)

    def _finish_thread(self) -> None:
        if self._thread is not None:
            self._thread.finish()
            self._thread.deleteLater()
            self._thread = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape comes here when nothing is selected in the canvas."""
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._finish_thread()
        super().closeEvent(event)
