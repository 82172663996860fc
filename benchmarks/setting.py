"""What every bench is given: its size, its folder, and where it says how far it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """``scale`` 1 is the size that the goals are meant for; less is for trying a bench out."""

    folder: Path
    say: Callable[[str], None]
    scale: float = 1.0
    #: repetitions of which the median counts
    runs: int = 3

    def size(self, full: int, least: int = 1) -> int:
        """A number of things at this scale."""
        return max(least, round(full * self.scale))

    def seconds(self, full_s: float, least_s: float = 1.0) -> float:
        """A time at this scale."""
        return max(least_s, full_s * self.scale)

    def new_folder(self, name: str) -> Path:
        """An empty folder of its own for one run."""
        count = sum(1 for _ in self.folder.glob(f"{name}-*"))
        folder = self.folder / f"{name}-{count + 1}"
        folder.mkdir(parents=True)
        return folder
