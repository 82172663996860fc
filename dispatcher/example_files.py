"""Where the examples are: the letter and the list of the demo, policies, and scenarios of the emulator.

An installed wheel has them within the package, a checkout beside it.
"""

from importlib.resources import files
from pathlib import Path


def _folder() -> Path:
    package = Path(str(files("dispatcher")))
    installed = package / "examples"
    return installed if installed.is_dir() else package.parent / "examples"


EXAMPLES = _folder()


def scenario_path(name: str) -> Path:
    """Return the file of a scenario: a path, or the name of an example such as ``messy``."""
    example = EXAMPLES / "scenarios" / f"{name}.toml"
    return example if name.replace("-", "").isalnum() and example.is_file() else Path(name)


def scenario_names() -> list[str]:
    """Return the names of the example scenarios."""
    return sorted(path.stem for path in (EXAMPLES / "scenarios").glob("*.toml"))
