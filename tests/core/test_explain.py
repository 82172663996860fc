"""What people are told about a failure."""

import pytest

from dispatcher.core.policy.policy import OnPartial, Policy
from dispatcher.core.policy.policy import policy_from as read
from dispatcher.core.retry.explain import explain, explain_rule
from dispatcher.core.retry_table.requests import CALLBACK_MISSING, TRANSPORT
from dispatcher.core.retry_table.rows import RULES


def test_an_explanation_has_the_row_in_words() -> None:
    """Category, verdict, counter, delays, limit and reason of a busy line."""
    explanation = explain("CALL_ERROR", 17, Policy())
    assert (explanation.category, explanation.verdict, explanation.spends, explanation.max_attempts) == (
        "busy",
        "retry",
        "dial",
        8,
    )
    assert explanation.delays == ("3 m", "5 m", "10 m", "20 m", "30 m", "1 h", "2 h")
    assert (explanation.documented, explanation.changed) == (True, False)
    assert explanation.why.startswith("The line was engaged")


def test_remedies_say_whether_they_are_built_and_what_happens_meanwhile() -> None:
    """A document that would have to be rendered anew fails until that exists."""
    explanation = explain("DOCUMENT_CONVERSION_ERROR", 133, Policy())
    assert [(remedy.name, remedy.implemented) for remedy in explanation.remedies] == [("rerender", False)]
    assert (explanation.table_verdict, explanation.verdict) == ("retry", "permanent")
    assert explanation.fallback == "the job fails, since a repeat would bring the same"


def test_a_retry_at_once_is_explained_with_the_distance_between_calls() -> None:
    """What is shown is what happens."""
    assert explain("FAX_ERROR", 25, Policy()).delays == ("1 m",)


@pytest.mark.parametrize(
    ("on_partial", "says"),
    [("stop", "ends as delivered_unconfirmed"), ("resend", "sent again whole"), ("resume", "cannot be sent yet")],
)
def test_partly_sent_faxes_are_explained_by_the_policy(on_partial: OnPartial, says: str) -> None:
    """The marked rows name what the policy does with pages that arrived."""
    explanation = explain("FAX_ERROR", 8, Policy(on_partial=on_partial))
    assert explanation.partial
    assert says in explanation.fallback
    assert says in explanation.pages


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
    explanation = explain("CALL_ERROR", 17, changed)
    assert (explanation.changed, explanation.delays) == (True, ("1 m",))


def test_an_unknown_pair_is_explained_by_its_default() -> None:
    """What is not documented says so."""
    explanation = explain("CALL_ERROR", 999, Policy())
    assert (explanation.documented, explanation.category, explanation.alert) == (False, "unknown", True)


def test_everything_can_be_explained() -> None:
    """Every row, and the outcomes without a key, has a reason for people."""
    policy = Policy()
    explanations = [explain(*key, policy) for key in RULES]
    explanations += [explain_rule(rule, policy) for rule in (CALLBACK_MISSING, TRANSPORT)]
    assert all(explanation.why and explanation.category for explanation in explanations)
