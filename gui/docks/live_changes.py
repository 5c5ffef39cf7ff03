"""What can be changed of the training while it waits: hyperparameters, the recording level, frozen parameters."""

from PySide6.QtCore import QModelIndex, QPoint, Qt, Slot
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from gui.actions import LEVEL, Actions
from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.docks.section_tree import SectionTree
from gui.live_changes import LiveChanges
from gui.models.live_changes import NAME, VALUE, LiveChangesModel
from gui.models.tree import KEY_ROLE
from gui.session import Session
from gui.theme import Theme
from gui.windows.elided_label import ElidedLabel
from gui.windows.level_button import LevelButton

NAME_PX = 180


class LiveChangesDock(Dock):
    """A value is typed over with Return, F2 or a double click; a click or Return unfreezes a frozen parameter."""

    REFRESH_MSECS = 72

    def __init__(self, session: Session, changes: LiveChanges, actions: Actions, appearance: Appearance) -> None:
        self._session, self._changes, self._actions = session, changes, actions
        self.model = LiveChangesModel()
        self.tree = SectionTree(self.model, appearance.theme)
        self.hint = ElidedLabel()
        self._refusal = ""
        super().__init__("live_changes", LiveChangesDock.tr("Live changes"), self._build())
        self.model.setParent(self)
        self._dress(appearance.theme)
        appearance.theme_changed.connect(self._dress)
        changes.changed.connect(self._show)
        changes.refused.connect(self._show_refusal)
        changes.made.connect(self._forget_refusal)
        changes.undo_stack.indexChanged.connect(self._forget_refusal)
        session.run_state_changed.connect(self._forget_refusal)
        self.model.change_requested.connect(changes.set_hyperparameter)
        self.model.refused.connect(changes.refused)
        self.tree.customContextMenuRequested.connect(self._open_menu)
        self.tree.key_activated.connect(self._unfreeze)
        self._show()

    def _build(self) -> QWidget:
        content = QWidget()
        level = LevelButton(self._session)
        for name in self._actions.names(LEVEL):
            level.menu().addAction(self._actions[name])
        bar = QHBoxLayout()
        bar.setContentsMargins(6, 3, 10, 3)
        bar.setSpacing(2)
        for name in ("undo", "redo"):
            button = QToolButton()
            button.setDefaultAction(self._actions[name])
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            bar.addWidget(button)
        bar.addWidget(self.hint, 1)
        bar.addWidget(level)
        level.setVisible(level.is_of_use)
        level.use_changed.connect(level.setVisible)
        self.tree.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.tree.activated.connect(self._edit)
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.setAccessibleName(self.tree.tr("Hyperparameters and frozen parameters"))
        self.tree.header().resizeSection(NAME, NAME_PX)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self.tree, 1)
        return content

    @Slot()
    def refresh(self) -> None:
        self._show()

    @Slot()
    def _show(self) -> None:
        can_change, bar = self._changes.can_change, self.tree.verticalScrollBar()
        place = bar.value()
        self.model.set_state(self._changes.state, can_change)
        self.tree.doItemsLayout()  # another row or less makes the tree anew, and would leave it at its top
        bar.setValue(place)
        if self._refusal:
            text = self._refusal
        elif can_change:
            text = self.tr("Double click a value to change it")
        elif self._session.run_state in ("starting", "running", "paused"):
            text = self.tr("Pause the training to change it")
        else:
            left = self.tr("As the run left it")
            text = left if self.model.blocks else self.tr("Nothing to change: no training runs")
        self.hint.setText(text)
        color = self._theme.error if self._refusal else self._theme.muted_text
        self.hint.setStyleSheet(f"color: {color}; padding-left: 6px;")

    @Slot(str)
    def _show_refusal(self, why: str) -> None:
        """Where the user looks: it stays until something else is done."""
        self._refusal = why
        self._show()

    @Slot()
    def _forget_refusal(self) -> None:
        if self._refusal:
            self._refusal = ""
            self._show()

    @Slot(str)
    def _unfreeze(self, name: str) -> None:
        self._changes.set_trainable((name,), True)

    @Slot(QModelIndex)
    def _edit(self, index: QModelIndex) -> None:
        value = index.siblingAtColumn(VALUE)
        if self.model.flags(value) & Qt.ItemFlag.ItemIsEditable:
            self.tree.setCurrentIndex(value)
            self.tree.edit(value)

    @Slot(QPoint)
    def _open_menu(self, place: QPoint) -> None:
        menu = self.menu(self.tree.indexAt(place))
        if menu is not None:
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.tree.viewport().mapToGlobal(place))

    def menu(self, index: QModelIndex) -> QMenu | None:
        """What can be done with a row, None where that is nothing."""
        name = index.siblingAtColumn(NAME).data(KEY_ROLE)
        menu = QMenu(self)
        if name:
            unfreeze = menu.addAction(self.tr("Unfreeze {0}").format(name))
            unfreeze.setEnabled(self._changes.can_change)
            unfreeze.triggered.connect(lambda: self._changes.set_trainable((name,), True))
        elif index.isValid() and not self.model.is_section(index):
            change = menu.addAction(self.tr("Change…"))
            change.setEnabled(self._changes.can_change)
            change.triggered.connect(lambda: self._edit(index))
        else:
            menu.deleteLater()
            return None
        return menu

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self._theme = theme
        self.widget().setStyleSheet(f"QWidget {{ background: {theme.panel}; }}")
        self.tree.set_theme(theme)
        self._show()
