"""The setting that every benchmark receives: its scale, its folder and where it reports progress."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Scale, number of runs, folder and progress output of a benchmark."""

    folder: Path
    #: prints a line of progress
    say: Callable[[str], None]
    #: 1 is the size that the goals are defined for; smaller values are for trial runs
    scale: float = 1.0
    #: entries of the do-not-fax list while lists are uploaded
    suppressions: int = 0
    #: number of runs; the median is reported
    runs: int = 3

    def size(self, full: int, minimum: int = 1) -> int:
        """Scale a number of items."""
        return max(minimum, round(full * self.scale))

    def seconds(self, full_s: float, min_s: float = 1.0) -> float:
        """Scale a duration."""
        return max(min_s, full_s * self.scale)

    def new_folder(self, name: str) -> Path:
        """Create an empty folder for one run."""
        count = sum(1 for _ in self.folder.glob(f"{name}-*"))
        folder = self.folder / f"{name}-{count + 1}"
        folder.mkdir(parents=True)
        return folder
