"""The inspector: everything known of the selection, of the whole step where nothing is selected."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from gui import format as fmt
from gui.actions import Actions
from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.docks.section_tree import SectionTree
from gui.docks.source_panel import SourcePanel
from gui.facts import Section
from gui.findings import Notice, find
from gui.models.tree import Block, Row, SectionModel
from gui.plain_text import PlainLabel
from gui.session import Session
from gui.sources import started_ns_of
from gui.theme import Theme


class InspectorDock(Dock):
    def __init__(self, session: Session, actions: Actions, appearance: Appearance) -> None:
        self._session = session
        self.model = SectionModel(("Property", "Value"))
        self._title, self._subtitle = PlainLabel(), PlainLabel()
        self.alarm, self.remark, self.footnote = PlainLabel(), PlainLabel(), PlainLabel()
        self.go_to_last, self.compare = QToolButton(), QToolButton()
        self._last_row = QWidget()
        self.source = SourcePanel((actions["open_source"], actions["copy_source"]), appearance.theme)
        self.tree = SectionTree(self.model, appearance.theme)
        super().__init__("inspector", InspectorDock.tr("Inspector"), self._build())
        self.model.setParent(self)
        self._dress(appearance.theme)
        appearance.theme_changed.connect(self._dress)
        session.selection_changed.connect(self.refresh)
        session.drawing_changed.connect(self.refresh_soon)
        session.run_state_changed.connect(self.refresh)
        session.incidents_changed.connect(self.refresh)
        session.happenings_changed.connect(self.refresh_soon)
        self.tree.key_activated.connect(session.reveal)
        self.go_to_last.clicked.connect(actions["go_to_last_finite"].trigger)
        self.compare.clicked.connect(actions["compare_last_finite"].trigger)

    def _build(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for label in (self._title, self._subtitle, self.alarm, self.remark, self.footnote):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setWordWrap(True)
        for label in (self._title, self._subtitle, self.alarm):
            column.addWidget(label)
        column.addWidget(self._last_row)
        column.addWidget(self.remark)
        row = QHBoxLayout(self._last_row)
        row.setContentsMargins(12, 0, 12, 8)
        self.compare.setText(self.compare.tr("Compare with it"))
        for button in (self.go_to_last, self.compare):
            button.setMinimumWidth(1)  # a dock that grew would move the graph
            row.addWidget(button)
        row.addStretch(1)
        self._title.setContentsMargins(12, 10, 12, 0)
        self._subtitle.setContentsMargins(12, 2, 12, 8)
        for label in (self.alarm, self.remark):
            label.setContentsMargins(12, 0, 12, 8)
        column.addWidget(self.source)
        self.tree.setAccessibleName(self.tree.tr("Properties of the selection"))
        self.footnote.setContentsMargins(12, 6, 12, 8)
        column.addWidget(self.tree, 1)
        column.addWidget(self.footnote)
        return content

    @Slot()
    def refresh(self) -> None:
        if not self.isVisible():
            return
        finding = find(self._session)
        self._title.setText(_breakable(finding.title))
        self._subtitle.setText(_breakable(finding.subtitle))
        self._show_notices(finding.notices)
        self._show_last_finite(finding.last_finite)
        meta = self._session.meta
        self.source.show_source(finding.source, str(meta.get("folder", "")), started_ns_of(meta))
        self.model.set_blocks(tuple(map(_block, finding.sections)))

    def _show_notices(self, notices: tuple[Notice, ...]) -> None:
        places = {"alarm": self.alarm, "remark": self.remark, "footnote": self.footnote}
        for kind, label in places.items():
            text = "\n".join(notice.text for notice in notices if notice.kind == kind)
            label.setText(_breakable(text))
            label.setVisible(bool(text))

    def _show_last_finite(self, step: int | None) -> None:
        self._last_row.setVisible(step is not None)
        if step is not None:
            self.go_to_last.setText(self.tr("Go to step {0}").format(fmt.count(step)))
            self.go_to_last.setToolTip(self.tr("The last step in which it was finite"))
            self.compare.setToolTip(self.tr("Show what differs from step {0}").format(fmt.count(step)))

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self._title.setStyleSheet(f"font-size: {theme.sizes.text + 2}px; font-weight: 600;")
        self._subtitle.setStyleSheet(f"color: {theme.muted_text}; font-size: {theme.sizes.small_text + 1}px;")
        self.alarm.setStyleSheet(f"color: {theme.error}; font-weight: 600;")
        self._last_row.setStyleSheet(
            f"QToolButton {{ border: 1px solid {theme.border}; padding: 2px 8px; }}"
            f"QToolButton:focus {{ border-color: {theme.accent}; }}"
        )
        for label in (self.remark, self.footnote):
            label.setStyleSheet(f"color: {theme.muted_text};")
        self.source.dress(theme)
        self.widget().setStyleSheet(f"QWidget {{ background: {theme.panel}; }}")
        self.tree.set_theme(theme)


def _block(section: Section) -> Block:
    return Block(section.title, tuple(Row((fact.name, fact.value), fact.key) for fact in section.facts))


def _breakable(text: str) -> str:
    """Lets a long key wrap after its separators (zero-width spaces)."""
    for separator in "./#:_":
        text = text.replace(separator, f"{separator}\u200b")
    return text
