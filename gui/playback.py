"""Where a replay stands: at which node, whether it plays, how fast. It knows no clock: it is told how long it was."""

SPEEDS = (1, 3, 10, 30, 100, 300, 1000, 3000)
"""Nodes a second."""


class Playback:
    """Positions count nodes: 0 before the first, then 1 to `count`."""

    def __init__(self, count: int = 0) -> None:
        self.count = count
        self.position = 0
        self.speed = 10
        self.is_playing = False
        self._due = 0.0

    def start_over(self, count: int, position: int = 0) -> None:
        """With other nodes; plays no longer."""
        self.count, self.is_playing = count, False
        self.go_to(position)

    def go_to(self, position: int) -> None:
        """Stands at a node, the nearest there is."""
        self.position = max(0, min(position, self.count))
        self._due = 0.0

    def move(self, step: int) -> None:
        """So many nodes on or back, and plays no longer."""
        self.is_playing = False
        self.go_to(self.position + step)

    def play(self) -> None:
        """From here on, from the beginning where this is the end."""
        if self.count:
            self.go_to(self.position if self.position < self.count else 0)
            self.is_playing = True

    def pause(self) -> None:
        self.is_playing = False

    def tick(self, elapsed_secs: float) -> bool:
        """So much time has passed; whether it stands elsewhere now. At the last node it stops."""
        if not self.is_playing:
            return False
        self._due += elapsed_secs * self.speed
        steps = int(self._due)
        self._due -= steps
        self.position = min(self.position + steps, self.count)
        self.is_playing = self.position < self.count
        return steps > 0
