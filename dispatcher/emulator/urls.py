"""URLs as the API shows them."""

import re

_CREDENTIALS = re.compile(r"//[^/?#]*@")


def redact_credentials(url: str) -> str:
    """Replace credentials in a URL by ``***``."""
    return _CREDENTIALS.sub("//***:***@", url, count=1) if "@" in url else url
