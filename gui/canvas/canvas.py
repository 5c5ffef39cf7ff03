"""The widget that shows a scene and says what the user did with it."""

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from gui.canvas.animation import MOST_BOXES, Transition, shift_between
from gui.canvas.camera import MARGIN_PX, READABLE_SCALE, Camera, fitted, opening
from gui.canvas.camera_view import CameraView
from gui.canvas.corners import Corners
from gui.canvas.frame import Frame
from gui.canvas.geometry import Area, Ints, rows_in
from gui.canvas.highlight import Highlight
from gui.canvas.hit_testing import NOTHING, Hit, hit
from gui.canvas.interaction import Interaction
from gui.canvas.marks import Marks, paint_marks
from gui.canvas.motion import Motion
from gui.canvas.navigation import sibling, walk
from gui.canvas.renderer import Renderer
from gui.canvas.replay import Replay
from gui.canvas.rows import box_row, group_row, rect_of, span_near, start_point
from gui.canvas.scene import Scene
from gui.canvas.selection import NONE, Selection, carried_over, links_to_mark, of_key
from gui.fonts import text_font
from gui.theme import Theme
from tracer.layout.result import Layout

_LINK_TOLERANCE_PX = 5.0


class GraphCanvas(CameraView):
    """Shows one `Scene`; pans, zooms, selects. Opening and closing modules is asked for, and comes back as a new scene.

    The wheel zooms at the cursor, dragging pans. Arrow keys walk along links, Enter opens or closes, F fits, Z zooms to
    the selection, Escape clears it: see `Interaction`.
    """

    box_selected = Signal(str)  # key of a box or an open group, "" when nothing is selected any more
    link_selected = Signal(int)  # index in `scene.layout.view.links`, -1 when none is any more
    group_toggled = Signal(str)  # key of a module call to open or close
    box_activated = Signal(str)  # double click or Enter on a box that does not open in place
    cancel_requested = Signal()  # of the layout that is under way
    second_chosen = Signal(str)  # key of a box or frame that was clicked with Shift or Ctrl
    back_requested = Signal()  # with the mouse's own button
    forward_requested = Signal()
    highlight_dismissed = Signal()  # by Escape
    leaving = Signal()  # a jump away from this view, which is still as it was
    resized = Signal()
    menu_requested = Signal(QPoint)  # of the selection, where on the screen
    hover_changed = Signal(object)  # Hit: what the mouse points at

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 120)
        self.setAccessibleName(self.tr("Graph"))
        self.animates = True
        self.shows_legend = True
        self.shows_minimap = True
        self.placeholder = ""
        self._theme = theme
        self._renderer: Renderer | None = None
        self._selection = NONE
        self._marked_links: Ints = np.zeros(0, dtype=np.int64)
        self._hover = NOTHING
        self._highlight: Highlight | None = None
        self._replay: Replay | None = None
        self._failed: tuple[str, ...] = ()
        self._toggled_key = ""
        self._looks_anew = False
        self._frame = Frame()
        self._motion = Motion(self)
        self._motion.moved.connect(self.update)
        self._corners = Corners(theme, self)
        self.legend, self.progress = self._corners.legend, self._corners.progress
        self.progress.cancelled.connect(self.cancel_requested)
        self._corners.minimap.center_requested.connect(self._center_on_point)
        Interaction(self)

    # -- what is shown

    @property
    def scene(self) -> Scene | None:
        """The scene shown."""
        return None if self._renderer is None else self._renderer.scene

    @property
    def _layout(self) -> Layout | None:
        return None if self._renderer is None else self._renderer.scene.layout

    @property
    def selection(self) -> Selection:
        return self._selection

    @property
    def selected_key(self) -> str:
        """The key of the selected box or group, "" for none."""
        return self._selection.key

    def set_scene(self, scene: Scene | None, animate: bool = True) -> None:
        """Show another scene. With the same layout object nothing moves; with another, what both have stays put."""
        before = self._renderer
        self._motion.stop()
        self._hover = NOTHING
        self._frame.outdate()
        self.legend.set_scene(scene, self._theme)
        if scene is None:
            self._renderer = None
            self._corners.minimap.set_renderer(None)
        else:
            is_same_layout = before is not None and before.scene.layout is scene.layout
            self._renderer = Renderer(scene, self._theme, before)
            self._corners.minimap.set_renderer(self._renderer)
            if not is_same_layout:
                self._move_to_layout(before, self._renderer, animate)
            elif not self._has_moved and before is not None and before.scene.coloration.title == scene.coloration.title:
                self._corners.settle(scene.layout, self._camera)  # the legend may say more now
        self._toggled_key, self._looks_anew = "", False
        self._change_selection(
            carried_over(self._selection, None if before is None else before.scene.layout, self._layout)
        )
        self._view_changed()

    def set_theme(self, theme: Theme) -> None:
        """Paint in another theme. Box colours come with the scene: set one made with the same theme as well."""
        self._theme = theme
        self.progress.set_theme(theme)
        scene = self.scene
        if scene is not None:
            self.set_scene(scene, animate=False)
        self.update()

    def set_animated(self, is_animated: bool) -> None:
        """Whether what moves slides."""
        self.animates = is_animated
        if not is_animated:
            self._motion.stop()

    def set_progress(self, share: float) -> None:
        """How far the layout to be shown next is, 0 to 1; less than 0 where none is under way."""
        self.progress.set_share(share)
        self._corners.place_progress()

    def set_legend_visible(self, is_visible: bool) -> None:
        """Show or hide the legend."""
        self.shows_legend = is_visible
        self.legend.set_wanted(is_visible)

    def set_covered_height(self, height_px: int) -> None:
        """How much of the top right corner something covers that lies over the canvas: the legend goes below it."""
        self._corners.covered_px = height_px
        self._view_changed()

    def set_minimap_visible(self, is_visible: bool) -> None:
        """Allow or forbid the overview; allowed, it shows while the graph is larger than the view."""
        self.shows_minimap = is_visible
        self._view_changed()

    def _move_to_layout(self, before: Renderer | None, after: Renderer, animate: bool) -> None:
        """Move the camera along with what both layouts have, and let the rest slide."""
        shift = None
        if before is not None and not self._looks_anew:
            area = self._camera.visible(self._viewport())
            shift = shift_between(before.scene.layout, after.scene.layout, self._toggled_key, area)
        if before is None or shift is None:
            self._has_moved = False
            self._open()
            return
        self._camera = Camera(self._camera.x + shift[0], self._camera.y + shift[1], self._camera.scale)
        if len(rows_in(before.scene.layout.boxes, area)) and not self._shows_boxes(after):
            # Much was closed at once, and what was looked at is gone.
            self._has_moved = False
            self._open()
            return
        self._has_moved = True
        counts = len(before.scene.layout.boxes), len(after.scene.layout.boxes)
        if animate and self.animates and self.isVisible() and max(counts) <= MOST_BOXES:
            self._motion.start(Transition(before, after, shift))

    def _shows_boxes(self, renderer: Renderer) -> bool:
        return bool(len(rows_in(renderer.scene.layout.boxes, self._camera.visible(self._viewport()))))

    # -- where it is looked at

    def fit(self) -> None:
        """Show the whole graph, never larger than 100 %."""
        if self._renderer is not None:
            self.leaving.emit()
            self._set_camera(fitted((0.0, 0.0, *self._renderer.scene.layout.size), self._viewport()))

    def center_on(self, key: str) -> None:
        """Bring a box or group to the middle of the view at this zoom; of a larger one its beginning."""
        rect = self.rect_of(key)
        if rect is not None:
            x, y, width, height = rect
            room, depth = ((side - 2 * MARGIN_PX) / self._camera.scale for side in self._viewport())
            self._center_on_point(x + min(width, room) / 2, y + min(height, depth) / 2)

    def zoom_to_selection(self) -> None:
        """Show the selected box or group as large as is useful."""
        rect = self.rect_of(self._selection.key)
        if rect is not None:
            self.leaving.emit()
            x, y, width, height = rect
            around = (x - 80.0, y - 80.0, width + 160.0, height + 160.0)
            self._set_camera(fitted(around, self._viewport(), max_scale=1.5))

    def _open(self) -> None:
        """The first look at a graph: see `camera.opening`."""
        if self._renderer is None:
            return
        layout = self._renderer.scene.layout
        start = start_point(layout)
        beginning = None if start is None else span_near(layout, start[1], self.height() / READABLE_SCALE)
        self._camera = opening(layout.size, self._viewport(), start, *self._corners.covered(), beginning)
        self._corners.settle(layout, self._camera)
        self.zoom_changed.emit(self._camera.scale)

    def _view_changed(self) -> None:
        area = self._camera.visible(self._viewport())
        self._corners.minimap.set_view(area)
        self._corners.place(self.shows_minimap and self._renderer is not None and not self._sees_all(area))
        super()._view_changed()

    def _sees_all(self, area: Area) -> bool:
        assert self._renderer is not None
        width, height = self._renderer.scene.layout.size
        x, y = area[0], area[1]
        return x <= 0 and y <= 0 and x + area[2] >= width and y + area[3] >= height

    def rect_of(self, key: str) -> Area | None:
        """The rectangle of a box or frame in scene units, None for what is not drawn."""
        return None if self._layout is None or not key else rect_of(self._layout, key)

    # -- selection

    def select(self, key: str) -> None:
        """Select a box or group by key, "" for none; says so by `box_selected` if that is news."""
        self._change_selection(of_key(self._layout, key))

    def select_link(self, index: int) -> None:
        """Select a link by index, -1 for none; says so by `link_selected` if that is news."""
        self._change_selection(Selection(link=index))

    def _change_selection(self, selection: Selection) -> None:
        before, self._selection = self._selection, selection
        no_links: Ints = np.zeros(0, dtype=np.int64)
        self._marked_links = no_links if self.scene is None else links_to_mark(self.scene, selection)
        self.update()
        if selection == before:
            return
        if selection.link >= 0:
            self.link_selected.emit(selection.link)
            return
        if before.link >= 0:
            self.link_selected.emit(-1)
        self.box_selected.emit(selection.key)

    def expect_toggle(self, key: str) -> None:
        """The next scene is one with this module call opened or closed: it stays where it is."""
        self._toggled_key = key

    def look_anew(self) -> None:
        """Looks at the next scene as at first if it has another layout; a selection in sight stays where it is."""
        if self._sees(self._selection.key):
            self._toggled_key = self._selection.key
        else:
            self._looks_anew = True

    def _sees(self, key: str) -> bool:
        rect, area = self.rect_of(key), self._camera.visible(self._viewport())
        return rect is not None and all(
            rect[side] < area[side] + area[side + 2] and area[side] < rect[side] + rect[side + 2] for side in (0, 1)
        )

    @property
    def highlight(self) -> Highlight | None:
        return self._highlight

    def set_highlight(self, highlight: Highlight | None) -> None:
        """Mark boxes and frames beside the selection; shown for as long as their layout is."""
        if highlight is not self._highlight:
            self._highlight = highlight
            self.update()

    @property
    def replay(self) -> Replay | None:
        return self._replay

    def set_replay(self, replay: Replay | None) -> None:
        """Mark how far a backward is; shown for as long as its layout is."""
        if replay is not self._replay:
            self._replay = replay
            self.update()

    @property
    def failed(self) -> tuple[str, ...]:
        """The boxes or frames marked as where an exception was raised."""
        return self._failed

    def set_failed(self, keys: tuple[str, ...]) -> None:
        """Mark the boxes or frames where an exception was raised."""
        if keys != self._failed:
            self._failed = keys
            self.update()

    def _toggle(self, key: str) -> None:
        self.expect_toggle(key)
        self.group_toggled.emit(key)

    def activate(self, key: str) -> None:
        """What Enter and a double click do."""
        if self._layout is None or not key:
            return
        row = box_row(self._layout, key)
        box = self._layout.view.boxes[row] if row >= 0 else None
        if group_row(self._layout, key) >= 0 or (box is not None and box.kind == "module" and box.can_open):
            self._toggle(key)
        else:
            self.box_activated.emit(key)

    # -- what the user points at and walks to

    def hit_at(self, position: QPointF) -> Hit:
        """What lies under a pixel."""
        if self._renderer is None:
            return NOTHING
        point = self._camera.to_scene(position.x(), position.y())
        title_height = float(self._theme.sizes.group_title_height)
        tolerance = _LINK_TOLERANCE_PX / self._camera.scale
        renderer = self._renderer
        return hit(renderer.scene.layout, renderer.curves, point, tolerance, title_height, renderer.presence)

    def key_of(self, found: Hit) -> str:
        """The key of a box or frame that was hit, "" for anything else."""
        if self._renderer is None or found.what not in ("box", "group"):
            return ""
        view = self._renderer.scene.layout.view
        return view.boxes[found.index].key if found.what == "box" else view.groups[found.index].key

    def set_hover(self, found: Hit) -> bool:
        """Mark what is under the mouse; says whether that is news."""
        is_news = found != self._hover
        if is_news:
            self._hover = found
            self.update()
            self.hover_changed.emit(found)
        return is_news

    def walk(self, direction: str) -> None:
        """Move the selection along the graph and keep it in sight."""
        scene = self.scene
        if scene is not None:
            self._walk_to(self._next_shown(lambda key: walk(scene.layout, key, direction, scene.links_present)))

    def focusNextPrevChild(self, is_next: bool) -> bool:
        """Tab goes through the siblings of the selection; from the last, or without a selection, to the next widget."""
        layout = self._layout
        key = "" if layout is None else self._next_shown(lambda key: sibling(layout, key, forwards=is_next))
        if not key:
            return super().focusNextPrevChild(is_next)
        self._walk_to(key)
        return True

    def _next_shown(self, onwards: Callable[[str], str]) -> str:
        """The first on a way from the selection that is no hidden ghost; the selection where the way ends before."""
        key, passed = self._selection.key, set[str]()
        while key not in passed:
            passed.add(key)
            key = onwards(key)
            if not key or self.is_shown(key):
                return key
        return self._selection.key

    def is_shown(self, key: str) -> bool:
        """Whether a box or frame of that key is drawn, and is no hidden ghost."""
        if self._renderer is None or self._layout is None:
            return False
        row, group = box_row(self._layout, key), group_row(self._layout, key)
        presence = self._renderer.presence
        return bool(presence.boxes[row]) if row >= 0 else group >= 0 and bool(presence.groups[group])

    def _walk_to(self, key: str) -> None:
        self.select(key)
        rect = self.rect_of(self._selection.key)
        camera = self._camera if rect is None else self._camera.revealing(rect, self._viewport())
        if camera != self._camera:
            self._set_camera(camera)

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.canvas))
        if self._renderer is None:
            self._paint_placeholder(painter)
        elif self._motion.is_running:
            self._motion.paint(painter, self._camera, self._viewport())
        else:
            self._paint_frame(painter, self._renderer)
            key = self._selection.key if self.is_shown(self._selection.key) else ""
            marks = Marks(self._hover, key, self._marked_links, self._highlight, self._replay, self._failed)
            paint_marks(painter, self._renderer, marks, self._camera.visible(self._viewport()), self._camera)
        painter.end()

    def _paint_placeholder(self, painter: QPainter) -> None:
        painter.setFont(text_font(self._theme.sizes.text))
        painter.setPen(QColor(self._theme.muted_text))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.placeholder)

    def _paint_frame(self, painter: QPainter, renderer: Renderer) -> None:
        """Show the cached picture; take it anew where it is not sharp, unless it is slow and the zoom still moves."""
        viewport, ratio = self._viewport(), self.devicePixelRatioF()
        if not self._frame.is_sharp(self._camera, viewport, ratio):
            may_wait = self._frame.is_slow and self.is_zooming
            if not (may_wait and self._frame.can_stand_in(viewport, ratio)):
                self._frame.render(renderer, self._camera, viewport, ratio)
        self._frame.draw(painter, self._camera)

    def resizeEvent(self, event: QResizeEvent) -> None:
        if not self._has_moved:
            self._open()
        elif event.oldSize().isValid():
            # What stood in the middle stays there; what one reads from stays at the top.
            self._camera = self._camera.panned((event.size().width() - event.oldSize().width()) / 2, 0.0)
        self._view_changed()
        self.resized.emit()
