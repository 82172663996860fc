"""The errors of a fax, and how long a call that ends with one takes.

Types and codes come from the provider's documentation and its Node.js SDK; the messages do not.
"""

DOCUMENT = "DOCUMENT_CONVERSION_ERROR"
CALL = "CALL_ERROR"
FAX = "FAX_ERROR"

MESSAGES: dict[tuple[str, int], str] = {
    (DOCUMENT, 4): "The documents could not be converted or merged",
    (DOCUMENT, 54): "The content URL could not be reached",
    (DOCUMENT, 55): "The content URL holds bad data",
    (DOCUMENT, 57): "The document could not be stored",
    (DOCUMENT, 69): "The document could not be stored",
    (DOCUMENT, 122): "Simulated conversion error",
    (DOCUMENT, 128): "The type of the document is unknown",
    (DOCUMENT, 129): "The type of the document is not supported",
    (DOCUMENT, 130): "application/xml is not supported",
    (DOCUMENT, 133): "The PDF could not be normalised",
    (CALL, 11): "The call was dropped early",
    (CALL, 15): "Congestion in the telephone network",
    (CALL, 16): "Nobody answered",
    (CALL, 17): "The line was busy",
    (CALL, 19): "The far side hung up at once",
    (CALL, 30): "No fax machine answered",
    (CALL, 32): "The destination is incompatible",
    (CALL, 34): "The number is not operational",
    (CALL, 43): "No connection",
    (CALL, 49): "The number is not active",
    (FAX, 6): "Communication error at the far side",
    (FAX, 7): "The page size was not accepted",
    (FAX, 8): "No response after a page",
    (FAX, 10): "Disconnected after the permitted retries",
    (FAX, 12): "No response to DCS or TCF",
    (FAX, 13): "The first message timed out",
    (FAX, 14): "The initial contact timed out",
    (FAX, 18): "Unexpected message",
    (FAX, 20): "The carrier did not stop in time",
    (FAX, 21): "Disconnect after a page",
    (FAX, 22): "Bad response to DCS or training",
    (FAX, 25): "The resolution was not accepted",
    (FAX, 26): "The remote side did not respond",
    (FAX, 28): "No modem could be trained",
    (FAX, 29): "Bad response after a page",
    (FAX, 31): "The machines are incompatible",
    (FAX, 38): "The remote side hung up first",
    (FAX, 40): "Telephony error",
    (FAX, 41): "Unexpected disconnect while waiting for DCS or DIS",
    (FAX, 44): "Telephony error",
    (FAX, 46): "No funds and the card was not charged",
    (FAX, 48): "No answer, maybe out of paper",
    (FAX, 53): "Disconnect after the page-end signal",
    (FAX, 60): "Error after a page break",
    (FAX, 63): "Fax protocol error",
    (FAX, 68): "The far end is not compatible",
    (FAX, 75): "Cancelled by the user",
    (FAX, 76): "Cancelled by the time limit",
    (FAX, 77): "Receiver-ready timeout",
    (FAX, 79): "Cancel refused, already complete",
    (FAX, 80): "Disconnect while waiting for DIS",
    (FAX, 82): "Communication error at the far side",
    (FAX, 84): "Unexpected command after a page",
    (FAX, 113): "The file is deleted or not accessible",
    (FAX, 117): "No pages received",
    (FAX, 119): "Simulated fax error",
    (FAX, 131): "Incomplete transmission",
    (FAX, 132): "No fax tone",
    (FAX, 133): "The number is not permitted",
    ("LINE_ERROR", 89): "The call was dropped early",
}

#: short names that a scenario may use instead of "TYPE CODE"
SHORT_NAMES: dict[str, tuple[str, int]] = {
    "dropped": (CALL, 11),
    "congestion": (CALL, 15),
    "no_answer": (CALL, 16),
    "busy": (CALL, 17),
    "hung_up": (CALL, 19),
    "no_fax_machine": (CALL, 30),
    "incompatible": (CALL, 32),
    "bad_number": (CALL, 34),
    "no_connection": (CALL, 43),
    "not_active": (CALL, 49),
    "protocol": (FAX, 6),
    "page_unconfirmed": (FAX, 8),
    "training": (FAX, 12),
    "cut_after_page": (FAX, 21),
    "conversion_failed": (DOCUMENT, 4),
}

#: fax errors that occur after a page: all pages but the last were transmitted
_AFTER_A_PAGE = frozenset({8, 21, 29, 53, 60, 77, 84, 131})

#: duration in seconds of a call that ends with this error; other errors have the duration of their type
_CALL_SECONDS: dict[tuple[str, int], float] = {
    (CALL, 16): 40.0,
    (CALL, 17): 3.0,
    (CALL, 30): 35.0,
    (DOCUMENT, 54): 5.0,
    (FAX, 13): 38.0,
    (FAX, 14): 38.0,
}
_TYPE_SECONDS = {DOCUMENT: 1.0, CALL: 2.0, FAX: 15.0}


def message(error_type: str, code: int) -> str:
    """Return the message of an error."""
    return MESSAGES.get((error_type, code), f"Error {code}")


def seconds(error_type: str, code: int) -> float:
    """Return how long a call that ends with this error takes, without the time of the pages."""
    return _CALL_SECONDS.get((error_type, code), _TYPE_SECONDS.get(error_type, 5.0))


def pages_sent(error_type: str, code: int, pages: int) -> int:
    """Return how many of ``pages`` were transmitted before this error."""
    if error_type == FAX and code in _AFTER_A_PAGE:
        return max(pages - 1, 0)
    return 0
