"""The options that the provider applies to every fax of a batch.

A new option needs six edits: the field below, the provider's name for it in ``sinch/order.py``, the field of the API in
``schema/requests.py``, and its option of the command line (declared in ``cli/fax_options.py``, taken and passed on in
``cli/send.py``). ``tests/test_layers.py`` counts the files that name an option.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FaxOptions:
    """Options of the provider that apply to a fax; an empty text or None means the provider's own default."""

    sender: str = ""
    service_id: str = ""
    header_text: str = ""
    header_page_numbers: bool | None = None
    header_time_zone: str = ""
    resolution: str = ""
    image_conversion_method: str = ""
    cover_page_id: str = ""
    #: merge fields of the cover page, for recipients whose own fields of these names are empty or missing
    cover_page_data: Mapping[str, str] = field(default_factory=dict)

    def chosen(self) -> dict[str, str | bool | dict[str, str]]:
        """Return the options that differ from the provider's default, by the names of their fields."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None, {})}
