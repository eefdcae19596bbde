"""A number as it is told: with its interval, and how many pictures are behind it."""

from dataclasses import dataclass

from hf_resnet.metrics.intervals import LEVEL, wilson


@dataclass(frozen=True)
class Figure:
    """A headline figure with its 95 % interval and the number of pictures behind it."""

    title: str
    value: float
    low: float
    high: float
    n: int
    is_share: bool = True
    """Between 0 and 1, and read as per cent."""

    @classmethod
    def of_share(cls, title: str, right: int, n: int) -> "Figure":
        """The share of `right` among n, with Wilson's interval."""
        interval = wilson(right, n)
        return cls(title, right / n, interval.low, interval.high, n)

    def __str__(self) -> str:
        """87.3 % (95 %: 84.1–90.0, n = 500)"""
        if not self.is_share:
            return (
                f"{self.value:.3f} ({100 * LEVEL:.0f} %: {self.low:.3f}–{self.high:.3f}, "
                f"n = {self.n:,})"
            )
        return (
            f"{100 * self.value:.1f} % ({100 * LEVEL:.0f} %: "
            f"{100 * self.low:.1f}–{100 * self.high:.1f}, n = {self.n:,})"
        )
