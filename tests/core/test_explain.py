"""What people are told about a failure."""

import pytest

from dispatcher.core.policy import OnPartial, Policy
from dispatcher.core.policy import policy_from as read
from dispatcher.core.retry.explain import explain, explain_rule
from dispatcher.core.retry_table.requests import CALLBACK_MISSING, TRANSPORT
from dispatcher.core.retry_table.rows import RULES


def test_an_explanation_has_the_row_in_words() -> None:
    """Category, verdict, counter, delays, limit and reason of a busy line."""
    told = explain("CALL_ERROR", 17, Policy())
    assert (told.category, told.verdict, told.spends, told.max_attempts) == ("busy", "retry", "dial", 8)
    assert told.delays == ("3 m", "5 m", "10 m", "20 m", "30 m", "1 h", "2 h")
    assert (told.documented, told.changed) == (True, False)
    assert told.why.startswith("The line was engaged")


def test_remedies_say_whether_they_are_built_and_what_happens_meanwhile() -> None:
    """A document that would have to be rendered anew fails until that exists."""
    told = explain("DOCUMENT_CONVERSION_ERROR", 133, Policy())
    assert [(remedy.name, remedy.available) for remedy in told.remedies] == [("rerender", False)]
    assert (told.table_verdict, told.verdict) == ("retry", "permanent")
    assert told.fallback == "the job fails, since a repeat would bring the same"


def test_a_retry_at_once_is_explained_with_the_distance_between_calls() -> None:
    """What is shown is what happens."""
    assert explain("FAX_ERROR", 25, Policy()).delays == ("1 m",)


@pytest.mark.parametrize(
    ("on_partial", "says"),
    [("stop", "ends as delivered_unconfirmed"), ("resend", "sent again whole"), ("resume", "cannot be sent yet")],
)
def test_partly_sent_faxes_are_explained_by_the_policy(on_partial: OnPartial, says: str) -> None:
    """The marked rows name what the policy does with pages that arrived."""
    told = explain("FAX_ERROR", 8, Policy(on_partial=on_partial))
    assert told.partial
    assert says in told.fallback
    assert says in told.pages


@pytest.mark.parametrize(
    ("pair", "pages"),
    [
        (("FAX_ERROR", 20), "a fax whose pages all arrived ends as delivered_unconfirmed"),
        (
            ("LINE_ERROR", 89),
            "a fax whose pages all arrived ends as delivered_unconfirmed; a partly sent fax ends as "
            "delivered_unconfirmed, unless the batch chooses otherwise",
        ),
        (("DOCUMENT_CONVERSION_ERROR", 4), ""),
        (("http", 500), ""),
    ],
)
def test_what_pages_mean_is_explained_for_every_failure_of_a_call(pair: tuple[str, int], pages: str) -> None:
    assert explain(*pair, Policy()).pages == pages


def test_a_changed_row_is_shown_as_changed() -> None:
    """People see that the file and not the table speaks."""
    changed = read({"rules": {"CALL_ERROR.17": {"delays": ["1m"]}}})
    told = explain("CALL_ERROR", 17, changed)
    assert (told.changed, told.delays) == (True, ("1 m",))


def test_an_unknown_pair_is_explained_by_its_default() -> None:
    """What is not documented says so."""
    told = explain("CALL_ERROR", 999, Policy())
    assert (told.documented, told.category, told.alert) == (False, "unknown", True)


def test_everything_can_be_explained() -> None:
    """Every row, and the outcomes without a key, has a reason for people."""
    policy = Policy()
    told = [explain(*key, policy) for key in RULES]
    told += [explain_rule(rule, policy) for rule in (CALLBACK_MISSING, TRANSPORT)]
    assert all(one.why and one.category for one in told)
