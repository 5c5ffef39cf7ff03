"""The inspector: everything known of the selection, of the whole step where nothing is selected."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.docks.section_tree import SectionTree
from gui.facts import Section
from gui.findings import find
from gui.models.tree import Block, Row, SectionModel
from gui.session import Session
from gui.theme import Theme


class InspectorDock(Dock):
    def __init__(self, session: Session, appearance: Appearance) -> None:
        self._session = session
        self.model = SectionModel(("Property", "Value"))
        self._title, self._subtitle = QLabel(), QLabel()
        self.tree = SectionTree(self.model, appearance.theme)
        super().__init__("inspector", InspectorDock.tr("Inspector"), self._build())
        self.model.setParent(self)
        self._dress(appearance.theme)
        appearance.theme_changed.connect(self._dress)
        session.selection_changed.connect(self.refresh)
        session.drawing_changed.connect(self.refresh)
        session.run_state_changed.connect(self.refresh)
        self.tree.key_activated.connect(session.reveal)

    def _build(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for label in (self._title, self._subtitle):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setWordWrap(True)
            column.addWidget(label)
        self._title.setContentsMargins(12, 10, 12, 0)
        self._subtitle.setContentsMargins(12, 2, 12, 8)
        self.tree.setAccessibleName(self.tree.tr("Properties of the selection"))
        column.addWidget(self.tree, 1)
        return content

    @Slot()
    def refresh(self) -> None:
        if not self.isVisible():
            return
        finding = find(self._session)
        self._title.setText(_breakable(finding.title))
        self._subtitle.setText(_breakable(finding.subtitle))
        self.model.set_blocks(tuple(map(_block, finding.sections)))

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self._title.setStyleSheet(f"font-size: {theme.sizes.text + 2}px; font-weight: 600;")
        self._subtitle.setStyleSheet(f"color: {theme.muted_text}; font-size: {theme.sizes.small_text + 1}px;")
        self.widget().setStyleSheet(f"QWidget {{ background: {theme.panel}; }}")
        self.tree.set_theme(theme)


def _block(section: Section) -> Block:
    return Block(section.title, tuple(Row((fact.name, fact.value), fact.key) for fact in section.facts))


def _breakable(text: str) -> str:
    """Lets a long key wrap after its separators (zero-width spaces)."""
    for separator in "./#:_":
        text = text.replace(separator, f"{separator}\u200b")
    return text
