"""What a caller says about the columns of a list."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What a column is used for. The value names the role in answers and messages."""

    NUMBER = "number"
    COUNTRY = "country"
    AREA_CODE = "area_code"
    REFERENCE = "reference"
    OPT_OUT = "opt_out"
    CONSENT = "consent"

    @property
    def parameter(self) -> str:
        """The parameter of the API that names the column."""
        return f"{self.value}_column"

    @property
    def option(self) -> str:
        """The option of the command line that names the column."""
        return f"--{self.value.replace('_', '-')}-column"


class ColumnOptions(NamedTuple):
    """The headings that a caller names; empty for those that are recognised."""

    number: str = ""
    country: str = ""
    area_code: str = ""
    reference: str = ""
    opt_out: str = ""
    consent: str = ""
    #: the list has no country column, whatever its headings say
    no_country: bool = False
    #: the region (ISO 3166 alpha-2) of numbers whose row has no country, or empty
    home: str = ""

    def named(self) -> Iterator[tuple[Role, str]]:
        """Yield the roles whose column is named."""
        for role in Role:
            heading = getattr(self, role.value)
            if heading:
                yield role, heading

    @property
    def settled(self) -> bool:
        """Whether number and country are named, so that no heading refuses the list."""
        return bool(self.number and (self.country or self.no_country))


#: the options of a caller who says nothing: all columns are recognised
NOTHING_NAMED = ColumnOptions()
