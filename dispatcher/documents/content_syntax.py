"""Reads the content of a page as a language, and finds what no program writes: readers leave it out without a word."""

import re

__all__ = ["is_readable"]

#: strings within a string that are followed
_DEEPEST = 12
_OPERATORS = (
    b"true false null endstream endobj "  # the last two of streams whose length is wrong
    b"b B b* B* BDC BI BMC BT BX c cm CS cs d Do DP EI EMC ET EX f F f* G g gs h i ID j J K k l M m MP n q Q re RG rg "
    b"ri s S SC sc SCN scn sh T* Tc Td TD Tf Tj TJ TL Tm Tr Ts Tw Tz v w W W* y ' \""
).split()
_KNOWN = frozenset(_OPERATORS)
#: operators without spaces between them, as some programs write them. Longer ones come first
_GLUED = re.compile(b"(?:" + b"|".join(re.escape(word) for word in sorted(_OPERATORS, key=len, reverse=True)) + b")+")
#: of numbers, arrays and dictionaries only the words within are left; ``e`` is in numbers such as 1e-05
_NO_WORDS = b"0123456789.+-[]<>{})"
_EXPONENTS = frozenset({b"e", b"E"})


def _string() -> str:
    inner = r"\((?:[^()\\]|\\.)*+\)"
    for _ in range(_DEEPEST):
        inner = rf"\((?:[^()\\]|\\.|{inner})*+\)"
    return inner


#: what has no operators in it. An unclosed string or picture reaches to the end, and stays as it is.
#: The data of a picture ends where text follows, as EI may be in it
_SILENT = re.compile(
    (
        rf"%[^\r\n]*+|{_string()}|/[^\s\x00()<>\[\]{{}}/%]*+|<[0-9A-Fa-f\s\x00]*+>"
        r"|(?<=[\s\])>])ID\s.*?EI(?=[\s\x00][\t\n\f\r -~]{10}|[\s\x00][\t\n\f\r -~]{0,9}\Z|\Z)"
        r"|(?P<unclosed>(?:\(|(?<=[\s\])>])ID\s).*\Z)"
    ).encode(),
    re.DOTALL,
)


def is_readable(content: bytes) -> bool:
    """Return whether strings and pictures end, and nothing but operators and their operands is in the content."""
    rest = _SILENT.sub(rb" \g<unclosed> ", content)
    if b"(" in rest:
        return False
    words = set(rest.replace(b"\0", b" ").translate(None, _NO_WORDS).split()) - _KNOWN
    if b"ID" in rest.split():
        return False
    if b"BX" in content:  # operators that a reader need not know
        return all(word.isascii() and word.decode().isprintable() for word in words)
    return all(word in _EXPONENTS or _GLUED.fullmatch(word) for word in words)
