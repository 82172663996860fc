"""How URLs with credentials in them are read back."""

import re

_CREDENTIALS = re.compile(r"//[^/?#]*@")


def masked(url: str) -> str:
    """A URL as the API shows it: credentials in it become `***`."""
    return _CREDENTIALS.sub("//***:***@", url, count=1) if "@" in url else url
