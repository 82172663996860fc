"""The fax options are declared once: a new one takes six edits, as ``core/options.py`` says."""

from pathlib import Path

from dispatcher.core.options import FaxOptions

DISPATCHER = Path(__file__).parents[2] / "dispatcher"


def test_only_chosen_options_differ_from_the_default() -> None:
    """False is a choice; an empty text, an empty mapping and None are the provider's default."""
    options = FaxOptions(sender="+12025550100", header_page_numbers=False)
    assert options.chosen() == {"sender": "+12025550100", "header_page_numbers": False}
    assert FaxOptions().chosen() == {}


def test_few_files_name_an_option() -> None:
    """Core, schema, order, command line and preview, and the provider's own resources ``Fax`` and ``Service``."""
    sources = (path for path in DISPATCHER.rglob("*.py") if "emulator" not in path.parts)
    naming = [path for path in sources if "image_conversion_method" in path.read_text(encoding="utf-8")]
    assert len(naming) <= 7, naming
