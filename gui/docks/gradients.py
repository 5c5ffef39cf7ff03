"""How gradients flow: their norms by module over the measured steps, the shown step beside it, and what is wrong."""

from PySide6.QtCore import QModelIndex, QStringListModel, Qt, QTimer, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QListView,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gui import format as fmt
from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.docks.gradient_foot import GradientFoot
from gui.docks.gradient_map import ROW_PX, GradientMap
from gui.flow_map import flow_map
from gui.gradient_keys import key_of, name_of
from gui.gradient_reader import GradientReader, Gradients, Scaled
from gui.plain_text import PlainLabel
from gui.session import Session
from gui.theme import Theme
from tracer.model.gradient_flow import Finding, Norms, findings_at, sentence
from tracer.model.unreached import unreached_parameters

HOW = (
    "No gradient was measured in this run so far.\n"
    "Record with tapescope run --level statistics, or set the recording level of a running training to Statistics"
)
MOST_FINDINGS = 200
READ_MSECS = 100


class GradientsDock(Dock):
    """Reads the tape, in a thread, from the first time it is in view."""

    REFRESH_MSECS = 48

    def __init__(self, session: Session, appearance: Appearance) -> None:
        self._session = session
        self._theme = appearance.theme
        self.map = GradientMap(appearance.theme)
        self.foot = GradientFoot(self.map, appearance.theme)
        self._scroll = QScrollArea()
        self.by = QComboBox()
        self.summary, self.message = PlainLabel(), PlainLabel(GradientsDock.tr(HOW))
        self.findings_model = QStringListModel()
        self.findings = QListView()
        self._found: tuple[Finding, ...] = ()
        self._gradients: Gradients | None = None
        self._reader: GradientReader | None = None
        self._pages = QStackedWidget()
        self._due = QTimer()
        self._due.setSingleShot(True)
        self._due.setInterval(READ_MSECS)
        super().__init__("gradients", GradientsDock.tr("Gradients"), self._build())
        self.findings_model.setParent(self)
        self._due.setParent(self)
        self._due.timeout.connect(self._read)
        self.visibilityChanged.connect(self.refresh_soon)
        self._dress(appearance.theme)
        appearance.theme_changed.connect(self._dress)
        session.tape_changed.connect(self._start_over)
        session.drawing_changed.connect(self.refresh_soon)
        session.step_changed.connect(self.refresh_soon)
        session.selection_changed.connect(self.refresh_soon)
        self.by.currentIndexChanged.connect(self.refresh)
        self.map.picked.connect(self._go_to)
        self.map.row_reached.connect(self._scroll_to)
        self.findings.clicked.connect(self._go_to_finding)
        self.findings.activated.connect(self._go_to_finding)

    @property
    def norms(self) -> Norms | None:
        """Of what the rows are of, modules or parameters."""
        scaled = self._scaled
        return None if scaled is None else scaled.norms

    @property
    def _scaled(self) -> Scaled | None:
        if self._gradients is None:
            return None
        return self._gradients.modules if self.by.currentIndex() == 0 else self._gradients.parameters

    @property
    def _is_in_view(self) -> bool:
        """A dock behind another's tab is visible to Qt as well."""
        return self.isVisible() and not self.visibleRegion().isEmpty()

    @property
    def found(self) -> tuple[Finding, ...]:
        """What is wrong, in the order of the list."""
        return self._found

    @Slot()
    def refresh(self) -> None:
        if not self._is_in_view:
            return
        if self._reader is None:
            self._due.start()
        gradients, scaled = self._gradients, self._scaled
        is_known = scaled is not None and len(scaled.norms.steps) > 0
        self._pages.setCurrentIndex(1 if is_known else 0)
        if gradients is not None and scaled is not None and is_known:
            flow = flow_map(scaled.norms, scaled.scale, self._session.step)
            self.map.show_map(flow, self._row_of(self._session.selection, scaled.norms))
            self.foot.refresh()
            self._scroll.setMaximumHeight(len(scaled.norms.names) * ROW_PX)
            self._show_findings(gradients)
            self._show_summary(gradients)

    def _row_of(self, key: str, norms: Norms) -> int:
        """The row that what is selected belongs to, -1 for none."""
        drawing = self._session.drawing
        name = None if drawing is None or not key else name_of(drawing.graph, key, norms.names)
        return -1 if name is None else norms.names.index(name)

    @Slot()
    def refresh_soon(self) -> None:
        """Steps that follow each other fast do not put it off: the map is to grow."""
        if not self._soon.isActive():
            self._soon.start()

    def _show_findings(self, gradients: Gradients) -> None:
        drawing, step = self._session.drawing, self._session.step
        is_shown = drawing is not None and drawing.step.index == step
        unreached = unreached_parameters(drawing.graph) if drawing is not None and is_shown else ()
        here = findings_at(gradients.modules.norms, unreached, step)
        found = (*here, *gradients.findings)[:MOST_FINDINGS]
        if found != self._found or not self.findings_model.rowCount():
            self._found = found
            self.findings_model.setStringList([sentence(one) for one in found] or [self.tr("Nothing is wrong")])

    def _show_summary(self, gradients: Gradients) -> None:
        text = self.tr("{0} measured").format(fmt.plural(gradients.n_measured, "step"))
        if not gradients.is_complete:
            text = self.tr("{0}, reading…").format(text)
        elif gradients.n_read < gradients.n_measured:
            text = self.tr("{0}, {1} of them read").format(text, fmt.count(gradients.n_read))
        self.summary.setText(text)

    # -- the thread

    @Slot()
    def _read(self) -> None:
        """When the dock has been in view for a moment: while the window arranges its docks, each is once."""
        tape, is_wanted = self._session.tape, self._is_in_view and self._session.step >= 0
        if self._reader is None and tape is not None and is_wanted:
            self._reader = GradientReader(tape, self)
            self._reader.read.connect(self._on_read)
            self._reader.start()

    @Slot(object)
    def _on_read(self, gradients: Gradients) -> None:
        if self.sender() is self._reader:
            self._gradients = gradients
            self.refresh_soon()

    @Slot()
    def _start_over(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.finish()
            reader.deleteLater()
        self._gradients, self._found = None, ()
        self.refresh()

    # -- where the user goes

    @Slot(int, int)
    def _go_to(self, step: int, row: int) -> None:
        norms, drawing = self.norms, self._session.drawing
        if norms is not None and drawing is not None:
            self._session.reveal_at(step, key_of(drawing.graph, norms.names[row]))

    @Slot(QModelIndex)
    def _go_to_finding(self, index: QModelIndex) -> None:
        drawing = self._session.drawing
        if drawing is None or index.row() >= len(self._found):
            return
        finding = self._found[index.row()]
        is_old = finding.kind in ("spike", "not_finite", "zero")
        step = finding.step if is_old else self._session.step
        key = finding.name if finding.kind == "dead" else key_of(drawing.graph, finding.name)
        self._session.reveal_at(step, key)

    # -- how it looks

    def _build(self) -> QWidget:
        for text in (self.tr("Modules"), self.tr("Parameters")):
            self.by.addItem(text)
        self.by.setAccessibleName(self.tr("Rows of the map"))
        self.findings.setModel(self.findings_model)
        self.findings.setWordWrap(True)
        self.findings.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.findings.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.findings.setResizeMode(QListView.ResizeMode.Adjust)
        self.findings.setAccessibleName(self.tr("What is wrong with the gradients"))
        side = QWidget()
        head = QHBoxLayout()
        head.setContentsMargins(8, 4, 8, 4)
        head.setSpacing(10)
        head.addWidget(self.by)
        head.addWidget(self.summary, 1)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.findings, 1)
        splitter = QSplitter()
        splitter.addWidget(self._build_map())
        splitter.addWidget(side)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([900, 320])
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self._pages.addWidget(self.message)
        self._pages.addWidget(splitter)
        return self._pages

    def _build_map(self) -> QWidget:
        """The map, which scrolls, over its foot, which does not."""
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self.map)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._scroll, 1)
        column.addWidget(self.foot)
        column.addStretch(0)
        return page

    @Slot(int)
    def _scroll_to(self, row: int) -> None:
        """So that the keys lead to no row out of view."""
        places = self.map.places()
        self._scroll.ensureVisible(0, round((row + 0.5) * places.row_px), 0, round(places.row_px))

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self._theme = theme
        self.map.set_theme(theme)
        self.foot.set_theme(theme)
        self._pages.setStyleSheet(
            f"QStackedWidget, QScrollArea, QScrollArea > QWidget > QWidget {{ background: {theme.panel}; }}"
        )
        for label in (self.summary, self.message):
            label.setStyleSheet(f"color: {theme.muted_text}; background: {theme.panel};")
