"""The retry table against a list of its own, written down from the provider's codes and fax practice.

Each line: code, category, verdict today, counter spent, delays, most attempts, then what else the row says.
"""

import pytest

from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.classify import classify, classify_fax
from dispatcher.core.retry_table.rows import RULES
from dispatcher.core.retry_table.rule import CATEGORIES, ERROR_TYPES, CalendarDelay, Category, Rule, Scope

POLICY = Policy()
_SECONDS = {"s": 1, "m": 60, "h": 3600}

DOCUMENT = [
    (4, "document_convert", "retry", "nothing", "2m", 2, "document after 2"),
    (54, "document_fetch", "retry", "nothing", "30s 2m 10m 30m", 5, ""),
    (55, "document_invalid", "permanent", "nothing", "", 1, "document after 1"),
    (57, "provider_storage", "retry", "nothing", "1m 5m 20m", 4, ""),
    (69, "provider_storage", "retry", "nothing", "1m 5m 20m", 4, ""),
    (122, "simulated", "permanent", "nothing", "", 1, "alert"),
    (128, "document_invalid", "permanent", "nothing", "0s", 2, "document after 1"),
    (129, "document_unsupported", "permanent", "nothing", "", 1, "document after 1"),
    (130, "document_unsupported", "permanent", "nothing", "", 1, "document after 1"),
    (133, "document_convert", "permanent", "nothing", "0s", 2, "document after 2"),
]
CALL = [
    (11, "call_dropped", "retry", "dial", "2m 10m 30m 2h", 5, "partial, unproven 3"),
    (15, "congestion", "retry", "dial", "1m 3m 10m 30m 1h", 6, ""),
    (16, "no_answer", "retry", "dial", "5m 15m 1h 4h morning", 6, "unproven 4"),
    (17, "busy", "retry", "dial", "3m 5m 10m 20m 30m 60m 120m", 8, ""),
    (19, "call_rejected", "retry", "dial", "15m 2h", 3, ""),
    (30, "no_fax_tone", "retry", "dial", "5m 30m 2h day", 5, "unproven 3: 15m morning"),
    (32, "incompatible", "retry", "dial", "30m", 2, ""),
    (34, "bad_number", "permanent", "dial", "", 1, ""),
    (43, "call_setup", "retry", "dial", "1m 5m 20m 1h", 5, ""),
    (49, "bad_number", "permanent", "dial", "", 1, ""),
]
FAX = [
    (6, "fax_protocol", "retry", "try", "1m 5m 30m", 4, "partial, fine 2"),
    (7, "capability", "retry", "try", "0s", 2, "fine 1, needs change"),
    (8, "page_unconfirmed", "retry", "try", "2m 10m 30m", 3, "partial"),
    (10, "fax_protocol", "retry", "try", "5m 30m 2h", 3, "partial, fine 1"),
    (12, "training", "retry", "try", "1m 5m 30m", 4, "fine 2"),
    (13, "handshake_timeout", "retry", "try", "2m 15m 1h", 4, "unproven 3"),
    (14, "no_fax_tone", "retry", "try", "5m 30m 2h day", 5, "unproven 3: 15m morning"),
    (18, "fax_protocol", "retry", "try", "1m 5m 30m", 4, "partial"),
    (20, "line_quality", "retry", "try", "2m 10m 1h", 4, ""),
    (21, "page_unconfirmed", "retry", "try", "10m 1h morning", 3, "partial"),
    (22, "training", "retry", "try", "1m 5m 30m", 4, "fine 2"),
    (25, "capability", "retry", "try", "0s", 2, "fine 1, needs change"),
    (26, "handshake_timeout", "retry", "try", "2m 15m 1h", 4, "unproven 3"),
    (28, "training", "retry", "try", "1m 5m 30m", 4, "fine 2"),
    (29, "page_unconfirmed", "retry", "try", "2m 10m 30m", 3, "partial"),
    (31, "incompatible", "retry", "try", "30m", 2, ""),
    (38, "call_dropped", "retry", "try", "2m 10m 30m 2h", 5, "partial, unproven 3"),
    (40, "call_setup", "retry", "try", "1m 5m 20m 1h", 5, ""),
    (41, "call_dropped", "retry", "try", "2m 10m 30m 2h", 5, "partial, unproven 3"),
    (44, "call_setup", "retry", "try", "1m 5m 20m 1h", 5, ""),
    (46, "funds", "hold", "nothing", "", 0, "account after 1, alert"),
    (48, "no_answer", "retry", "try", "30m 2h morning", 4, ""),
    (53, "page_unconfirmed", "retry", "try", "2m 10m 30m", 3, "partial"),
    (60, "page_unconfirmed", "retry", "try", "2m 10m 30m", 3, "partial"),
    (63, "fax_protocol", "retry", "try", "1m 5m 30m", 4, "partial, fine 2"),
    (68, "incompatible", "retry", "try", "30m", 2, ""),
    (75, "cancelled", "permanent", "try", "", 1, ""),
    (76, "cancelled", "retry", "try", "30m", 2, ""),
    (77, "page_unconfirmed", "retry", "try", "2m 10m 30m", 3, "partial"),
    (79, "cancelled", "permanent", "try", "", 1, ""),
    (80, "call_dropped", "retry", "try", "2m 10m 30m 2h", 5, "partial, unproven 3"),
    (82, "fax_protocol", "retry", "try", "1m 5m 30m", 4, "partial, fine 2"),
    (84, "page_unconfirmed", "retry", "try", "2m 10m 30m", 3, "partial"),
    (113, "document_fetch", "retry", "nothing", "30s 2m 10m 30m", 5, ""),
    (117, "fax_protocol", "retry", "try", "1m 5m 30m", 4, "partial, fine 2"),
    (119, "simulated", "permanent", "nothing", "", 1, "alert"),
    (131, "page_unconfirmed", "retry", "try", "2m 10m 30m", 3, "partial"),
    (132, "no_fax_tone", "retry", "try", "5m 30m 2h day", 5, "unproven 3: 15m morning"),
    (133, "not_permitted", "permanent", "nothing", "", 1, "country after 1"),
]
HTTP = [
    (0, "submit_unknown", "uncertain", "server_error", "0s", 0, ""),
    (301, "config", "hold", "nothing", "", 0, "account after 1, alert"),
    (307, "config", "hold", "nothing", "", 0, "account after 1, alert"),
    (308, "config", "hold", "nothing", "", 0, "account after 1, alert"),
    (400, "invalid_request", "permanent", "nothing", "", 1, "batch after 5"),
    (401, "auth", "hold", "nothing", "", 0, "account after 1, alert"),
    (402, "funds", "hold", "nothing", "", 0, "account after 1, alert"),
    (403, "not_permitted", "hold", "nothing", "", 0, "country after 1"),
    (404, "config", "hold", "nothing", "", 0, "batch after 1"),
    (408, "submit_unknown", "uncertain", "server_error", "0s", 0, ""),
    (413, "document_too_large", "permanent", "nothing", "", 1, "document after 1"),
    (415, "document_unsupported", "permanent", "nothing", "", 1, "document after 1"),
    (422, "invalid_request", "permanent", "nothing", "", 1, "batch after 5"),
    (429, "rate_limited", "retry", "nothing", "", 0, ""),
    (500, "provider_error", "uncertain", "server_error", "5s 30s 2m 10m 30m", 6, ""),
    (502, "provider_unavailable", "uncertain", "server_error", "5s 30s 2m 10m 30m", 6, ""),
    (503, "provider_unavailable", "uncertain", "server_error", "5s 30s 2m 10m 30m", 6, ""),
    (504, "submit_unknown", "uncertain", "server_error", "0s", 0, ""),
    (800, "callback_unreachable", "uncertain", "nothing", "2m", 0, "alert"),
]
#: pairs that no document explains
UNDOCUMENTED = [
    ("FATAL_ERROR", 9, "provider_error", "retry", "dial", "2m 10m 1h", 4, "partial"),
    ("GENERAL_ERROR", 3, "provider_error", "retry", "dial", "2m 10m 1h", 4, "partial"),
    ("GENERAL_ERROR", 105, "funds", "hold", "nothing", "", 0, "account after 1, partial, alert"),
    ("GENERAL_ERROR", 120, "simulated", "permanent", "nothing", "", 1, "partial, alert"),
    ("FATAL_ERROR", 126, "simulated", "permanent", "nothing", "", 1, "partial, alert"),
    ("LINE_ERROR", 89, "provider_error", "retry", "dial", "2m 10m 1h", 4, "partial"),
    ("LINE_ERROR", 105, "provider_error", "retry", "dial", "2m 10m 1h", 4, "partial"),
    ("LINE_ERROR", 121, "simulated", "permanent", "nothing", "", 1, "partial, alert"),
    ("CALL_ERROR", 999, "unknown", "retry", "dial", "10m 1h", 3, "partial, alert"),
    ("FAX_ERROR", 999, "unknown", "retry", "try", "10m 1h", 3, "partial, alert"),
    ("DOCUMENT_CONVERSION_ERROR", 999, "unknown", "retry", "nothing", "10m 1h", 3, "alert"),
    *(
        ("http", code, "unknown", "retry", "nothing", "10m 1h", 3, "batch after 5, alert")
        for code in (405, 409, 410, 423)
    ),
    *(("http", code, "submit_unknown", "uncertain", "server_error", "0s", 0, "") for code in (204, 302, 303, 304)),
    ("http", 507, "provider_error", "uncertain", "server_error", "5s 30s 2m 10m 30m", 6, ""),
    ("http", 200, "submit_unknown", "uncertain", "server_error", "0s", 0, ""),
]
TABLE = [
    *(("DOCUMENT_CONVERSION_ERROR", *row) for row in DOCUMENT),
    *(("CALL_ERROR", *row) for row in CALL),
    *(("FAX_ERROR", *row) for row in FAX),
    *(("http", *row) for row in HTTP),
]


def _delays(text: str) -> tuple[float | CalendarDelay, ...]:
    words = {"morning": CalendarDelay.NEXT_BUSINESS_MORNING, "day": CalendarDelay.NEXT_DAY}
    return tuple(words.get(word) or float(word[:-1]) * _SECONDS[word[-1]] for word in text.split())


def _more(rule: Rule) -> str:
    """What a row says beyond its columns, in the words of the lists above."""
    said = []
    if rule.scope is not None:
        said.append(f"{rule.scope} after {rule.hold_after}")
    if rule.asks_on_partial:
        said.append("partial")
    if rule.unproven_max:
        said.append(f"unproven {rule.unproven_max}{_unproven_list(rule)}")
    if rule.fine_from:
        said.append(f"fine {rule.fine_from}")
    said += [word for word, true in (("needs change", rule.final_once_fine), ("alert", rule.alert)) if true]
    return ", ".join(said)


def _unproven_list(rule: Rule) -> str:
    if not rule.unproven_delays:
        return ""
    assert rule.unproven_delays == (900.0, CalendarDelay.NEXT_BUSINESS_MORNING)
    return ": 15m morning"


@pytest.mark.parametrize("row", [*TABLE, *UNDOCUMENTED], ids=lambda row: f"{row[0]}-{row[1]}")
def test_each_failure_has_its_row(row: tuple[str, int, str, str, str, str, int, str]) -> None:
    """A failure is classified with the category, verdict, cost, delays and limits that its row states."""
    error_type, code, category, verdict, spends, delays, max_attempts, more = row
    rule = classify(error_type, code, policy=POLICY)
    assert (rule.error_type, rule.error_code) == (error_type, code)
    assert (rule.category, rule.verdict_now, rule.spends) == (category, verdict, spends)
    assert (rule.delays, rule.max_attempts, _more(rule)) == (_delays(delays), max_attempts, more)


def test_the_table_holds_the_documented_pairs_and_no_others() -> None:
    """There are 59 documented pairs of the provider, and the HTTP outcomes."""
    assert set(RULES) == {(row[0], row[1]) for row in TABLE}
    assert sum(kind != "http" for kind, _ in RULES) == 59


def test_one_code_under_two_types_means_two_things() -> None:
    """133 is a document that cannot be normalised under one type and a barred country under the other."""
    document = classify("DOCUMENT_CONVERSION_ERROR", 133, policy=POLICY)
    number = classify("FAX_ERROR", 133, policy=POLICY)
    assert (document.category, document.scope) == (Category.DOCUMENT_CONVERT, Scope.DOCUMENT)
    assert (number.category, number.scope) == (Category.NOT_PERMITTED, Scope.COUNTRY)


def test_a_type_nobody_has_heard_of_is_retried_a_little_and_shown() -> None:
    """An unknown type is a normal input, stored as "other", and never fails the classification."""
    rule = classify("MOON_ERROR", 4, policy=POLICY)
    assert (rule.error_type, rule.error_code, rule.category) == ("other", 4, Category.UNKNOWN)
    assert (rule.delays, rule.max_attempts, rule.alert) == ((600.0, 3600.0), 3, True)


@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("Insufficient funds", Category.FUNDS),
        ("Account balance too low", Category.FUNDS),
        ("Simulated line error", Category.SIMULATED),
        ("Call dropped early", Category.PROVIDER_ERROR),
        ("", Category.PROVIDER_ERROR),
    ],
)
@pytest.mark.parametrize("error_type", ["FATAL_ERROR", "GENERAL_ERROR", "LINE_ERROR"])
def test_types_without_codes_are_read_by_their_message(error_type: str, message: str, category: Category) -> None:
    """Money and tests are told by the message where the provider publishes no codes."""
    assert classify(error_type, 2, message=message, policy=POLICY).category is category


def test_a_message_changes_nothing_where_codes_are_published() -> None:
    """A busy line stays busy, whatever the text for people says."""
    assert classify("CALL_ERROR", 17, message="no funds", policy=POLICY).category is Category.BUSY


@pytest.mark.parametrize(
    ("fields", "category", "verdict", "scope"),
    [
        (("to",), "bad_number", "permanent", Scope.BATCH),
        (("to[0]",), "bad_number", "permanent", Scope.BATCH),
        (("from",), "config", "hold", Scope.BATCH),
        (("to", "from"), "config", "hold", Scope.BATCH),
        (("contentUrl",), "document_invalid", "permanent", Scope.BATCH),
        (("files.0.file",), "document_invalid", "permanent", Scope.BATCH),
        (("headerText",), "invalid_request", "permanent", Scope.BATCH),
        ((), "invalid_request", "permanent", Scope.BATCH),
    ],
)
def test_422_goes_by_the_refused_field(
    fields: tuple[str, ...], category: str, verdict: str, scope: Scope | None
) -> None:
    """The recipient's number fails the job, the sender's holds the batch, the content is the document's fault."""
    rule = classify("http", 422, fields=fields, policy=POLICY)
    assert (rule.category, rule.verdict_now, rule.scope) == (category, verdict, scope)


def test_the_run_of_refusals_that_holds_a_batch_is_policy() -> None:
    """Statuses and fields that a batch's jobs share carry it, and the refusals of numbers one of their own."""
    policy = Policy(reject_run=9, number_run=30)
    assert {classify("http", code, policy=policy).hold_after for code in (400, 405, 422, 499)} == {9}
    assert classify("http", 422, fields=("contentUrl",), policy=policy).hold_after == 9
    assert classify("http", 422, fields=("to",), policy=policy).hold_after == 30
    assert classify("http", 422, fields=("from",), policy=policy).hold_after == 1


def test_refused_countries_hold_the_account_when_they_are_many() -> None:
    """A key without access to the project is refused everywhere."""
    rule = classify("http", 403, policy=Policy(forbidden_countries=4))
    assert (rule.scope, rule.hold_after) == (Scope.COUNTRY, 1)
    assert rule.wider
    assert (rule.wider.scope, rule.wider.category, rule.wider.hold_after) == (Scope.ACCOUNT, Category.CONFIG, 4)
    assert classify("FAX_ERROR", 133, policy=POLICY).wider is None, "that request was accepted"


@pytest.mark.parametrize("code", [0, 17, 301, 404, 429, 503, 999])
def test_only_answers_of_our_own_have_the_rows_of_requests(code: int) -> None:
    """A fax whose error type is ``http`` has one that nobody knows."""
    rule = classify_fax("http", code, policy=POLICY)
    assert (rule.error_type, rule.category, rule.verdict_now) == ("other", Category.UNKNOWN, "retry")


def test_every_missing_remedy_has_a_stated_fallback() -> None:
    """A row that names a remedy which is not built says what happens instead, and only such a row does."""
    for rule in RULES.values():
        lacks = any(not remedy.implemented for remedy in rule.remedies)
        assert bool(rule.fallback) == lacks, rule


def test_every_row_says_why_in_a_sentence() -> None:
    """Each row explains itself to people."""
    for rule in RULES.values():
        assert rule.why.endswith(".")
        assert rule.why[0].isupper()


def test_every_retried_row_has_enough_delays() -> None:
    """A list is at least as long as the retries that it serves, for proven and unproven numbers."""
    for rule in RULES.values():
        for proven in (True, False):
            if rule.delays and rule.max_for(proven):
                assert len(rule.delays_for(proven)) >= rule.max_for(proven) - 1


def test_stored_indexes_never_move() -> None:
    """Records hold the position in these lists, so their beginning is fixed for ever."""
    assert CATEGORIES[:11] == (
        "",
        "document_convert",
        "document_fetch",
        "document_invalid",
        "provider_storage",
        "simulated",
        "document_unsupported",
        "call_dropped",
        "congestion",
        "no_answer",
        "busy",
    )
    assert CATEGORIES[36:] == ("callback_missing", "internal", "record_rolled_back", "suppressed", "bad_numbers")
    assert ERROR_TYPES == (
        "",
        "DOCUMENT_CONVERSION_ERROR",
        "CALL_ERROR",
        "FAX_ERROR",
        "FATAL_ERROR",
        "GENERAL_ERROR",
        "LINE_ERROR",
        "http",
        "other",
    )
