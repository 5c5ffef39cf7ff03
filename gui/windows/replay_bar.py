"""The bar under the graph that replays its backward: the player, where it stands, and which node runs."""

from PySide6.QtCore import QSignalBlocker, Qt, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSlider, QToolButton, QVBoxLayout, QWidget

from gui import format as fmt
from gui.actions import Actions
from gui.course import pass_text, running_text
from gui.plain_text import PlainLabel
from gui.playback import SPEEDS
from gui.replaying import Replaying
from gui.session import Session
from gui.theme import Theme
from gui.windows.elided_label import ElidedLabel

BUTTONS = ("replay_first", "replay_back", "replay_play", "replay_forward", "replay_last")
LEAST_SLIDER_PX = 110
NARROW_PX = 560
PAGES = 20
"""A click beside the slider's handle moves by this part of the whole."""


class ReplayBar(QWidget):
    """Hidden while nothing is replayed."""

    def __init__(self, session: Session, actions: Actions, replaying: Replaying, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("replay_bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self._actions = actions
        self._replaying = replaying
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.speed, self.passes = QComboBox(), QComboBox()
        self.place, self.text, self.how = PlainLabel(), ElidedLabel(), PlainLabel()
        self._build()
        self.setMinimumWidth(1)
        self.dress(theme)
        self._connect()
        self.refresh()

    def _build(self) -> None:
        player, line = QHBoxLayout(), QHBoxLayout()
        for name in BUTTONS:
            player.addWidget(self._button(name))
        player.addWidget(self.slider, 1)
        self.slider.setMinimumWidth(LEAST_SLIDER_PX)
        for widget in (self.place, self.speed, self._button("replay")):
            player.addWidget(widget)
        for widget in (self.text, self.how, self.passes, self._button("replay_select")):
            line.addWidget(widget, 1 if widget is self.text else 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 6, 4)
        column.setSpacing(2)
        for row in (player, line):
            row.setSpacing(6)
            column.addLayout(row)
        for speed in SPEEDS:
            self.speed.addItem(self.tr("{0}/s").format(fmt.plural(speed, "node")), speed)
        self.speed.setCurrentIndex(SPEEDS.index(self._replaying.playback.speed))
        self.slider.setAccessibleName(self.tr("Place in the backward"))
        self.speed.setAccessibleName(self.tr("Speed of the replay"))
        self.passes.setAccessibleName(self.tr("Pass to replay"))
        self.passes.setToolTip(self.tr("Which backward of the step to replay"))

    def _button(self, name: str) -> QToolButton:
        button = QToolButton()
        button.setDefaultAction(self._actions[name])
        button.setAutoRaise(True)
        return button

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space, which on a button presses that."""
        if event.key() == Qt.Key.Key_Space and self._actions["replay_play"].isEnabled():
            self._actions["replay_play"].trigger()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._give_room()

    def _give_room(self) -> None:
        """In a narrow window the slider and the sentence need what the less important would take."""
        is_wide = self.width() >= NARROW_PX
        self.speed.setVisible(is_wide)
        self.how.setVisible(is_wide)

    def _connect(self) -> None:
        replaying, actions = self._replaying, self._actions
        replaying.changed.connect(self.refresh)
        self.slider.valueChanged.connect(replaying.go_to)
        self.speed.currentIndexChanged.connect(self._on_speed)
        self.passes.activated.connect(self._on_pass)
        actions["replay"].toggled.connect(replaying.set_on)
        actions["replay_play"].triggered.connect(replaying.toggle_play)
        actions["replay_forward"].triggered.connect(replaying.forward)
        actions["replay_back"].triggered.connect(replaying.back)
        actions["replay_first"].triggered.connect(replaying.first)
        actions["replay_last"].triggered.connect(replaying.last)
        actions["replay_select"].triggered.connect(replaying.select_running)

    @Slot()
    def refresh(self) -> None:
        replaying, playback = self._replaying, self._replaying.playback
        self.setVisible(replaying.is_on)
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, playback.count)
            self.slider.setPageStep(max(playback.count // PAGES, 1))
            self.slider.setValue(playback.position)
        self.slider.setEnabled(playback.count > 0)
        self.place.setText(self.tr("{0} of {1}").format(fmt.count(playback.position), fmt.count(playback.count)))
        self._show_passes()
        self._show_line()
        self._show_actions()

    def _show_passes(self) -> None:
        course, drawing = self._replaying.course, self._session.drawing
        if course is None or drawing is None or course.step != drawing.step.index:
            return
        texts = [self.tr("Pass {0}").format(pass_text(drawing.step, one)) for one in course.passes]
        if texts != [self.passes.itemText(at) for at in range(self.passes.count())]:
            self.passes.clear()
            for text, one in zip(texts, course.passes, strict=True):
                self.passes.addItem(text, one)
        self.passes.setCurrentIndex(self.passes.findData(course.pass_index))
        self.passes.setVisible(len(course.passes) > 1)

    def _show_line(self) -> None:
        course, drawing, key = self._replaying.course, self._session.drawing, self._replaying.running_key
        is_shown = course is not None and drawing is not None and course.graph is drawing.graph
        if drawing is not None and is_shown and key:
            self.text.setText(running_text(drawing, key))
        elif is_shown and not self._replaying.playback.count:
            self.text.setText(self.tr("No backward ran in this step"))
        else:
            self.text.setText(self.tr("Press play to see in which order autograd runs the nodes") if is_shown else "")
        is_recorded = course is not None and course.is_recorded
        self.how.setText((self.tr("order recorded") if is_recorded else self.tr("order computed")) if is_shown else "")
        self.how.setToolTip(
            self.tr("In the order in which the nodes were seen to run")
            if is_recorded
            else self.tr("In the order that autograd's rules give; at the level full the real one is recorded")
        )

    def _show_actions(self) -> None:
        playback = self._replaying.playback
        enabled = {
            "replay_play": playback.count > 0,
            "replay_forward": playback.position < playback.count,
            "replay_back": playback.position > 0,
            "replay_first": playback.count > 0 and playback.position != 1,
            "replay_last": playback.position < playback.count,
            "replay_select": playback.position > 0,
        }
        for name, is_enabled in enabled.items():
            self._actions[name].setEnabled(is_enabled)
        self._actions.set_playing(playback.is_playing)

    @Slot(int)
    def _on_speed(self, index: int) -> None:
        self._replaying.set_speed(self.speed.itemData(index))

    @Slot(int)
    def _on_pass(self, index: int) -> None:
        self._replaying.choose_pass(self.passes.itemData(index))

    def dress(self, theme: Theme) -> None:
        self.setStyleSheet(
            f"#replay_bar {{ background: {theme.panel}; border-top: 1px solid {theme.border}; }}"
            f"PlainLabel {{ color: {theme.text}; }}"
            f"QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {theme.border}; }}"
            f"QSlider::sub-page:horizontal {{ border-radius: 2px; background: {theme.backward}; }}"
            f"QSlider::handle:horizontal {{ width: 14px; margin: -5px 0; border-radius: 7px;"
            f" background: {theme.backward}; }}"
            f"QSlider::handle:horizontal:focus {{ border: 2px solid {theme.text}; }}"
        )
        self.how.setStyleSheet(f"color: {theme.muted_text};")
