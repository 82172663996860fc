"""Headers that several routes read."""

from email.message import Message
from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[ -~]+$",
        description=(
            "Makes a repeat of the same request harmless: it gets the same answer. 1 to 255 printable ASCII "
            "characters, kept until seven days after the last use. The same key on another route, or for the "
            "recipients of another batch, is another key."
        ),
    ),
]


def file_name(disposition: str) -> str:
    """Return the file name of a Content-Disposition header, without any path; empty if there is none."""
    message = Message()
    message["Content-Disposition"] = disposition
    return (message.get_filename("") or "").replace("\\", "/").rpartition("/")[2][:200]
