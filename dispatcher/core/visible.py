"""Makes text from outside safe to show: in a terminal, in a log line, in JSON."""

import re

#: control characters (category Cc) except the line feed, overrides of the writing direction, halves of surrogate pairs.
#: A terminal obeys the first, people misread the second, and nothing can encode the third
_UNSAFE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Return the text with characters that must not reach a terminal written out, as in ``\u001b``."""
    return _UNSAFE.sub(lambda character: f"\\u{ord(character[0]):04x}", text)
