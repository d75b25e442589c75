"""How long a batch of some size, in rows or tokens, takes: learned from those that were run."""


class CostModel:
    """A moving average for every size class (1, 2-3, 4-7, ...) seen so far."""

    def __init__(self, weight: float = 0.2) -> None:
        self._weight = weight
        self._seconds: dict[int, float] = {}

    def observe(self, size: int, seconds: float) -> None:
        """Learn from one batch."""
        size_class = size.bit_length()
        known = self._seconds.get(size_class)
        if known is not None:
            seconds = known + self._weight * (seconds - known)
        self._seconds[size_class] = seconds

    def seconds(self, size: int) -> float:
        """The expected seconds; for a class never seen, from the nearest one that was."""
        wanted = size.bit_length()
        if not self._seconds:
            return 0.0
        nearest = min(self._seconds, key=lambda known: (abs(known - wanted), known))
        seconds = self._seconds[nearest]
        # Larger than anything seen: assume that the cost grows with the size.
        return seconds * 2.0 ** max(0, wanted - nearest)
