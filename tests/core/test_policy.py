"""Reading a policy: defaults, forms, and errors that name the key and what is allowed."""

import math
import re
import tomllib
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.policy.policy import Policy, PolicyError, policy_from
from dispatcher.core.retry.classify import classify
from dispatcher.core.retry_table.rule import CalendarDelay, Verdict


def policy(text: str) -> Policy:
    return policy_from(tomllib.loads(text))


def test_an_empty_document_is_the_production_policy() -> None:
    """What a file does not name keeps its default."""
    assert policy("") == Policy()


def test_durations_are_read_in_both_forms() -> None:
    """Text with a unit and numbers of seconds give the same times."""
    read = policy('[times]\npost_total = "10s"\nlooks = [1, "2s", "1m"]\nlease = 20')
    assert (read.post_total_s, read.lookups_s, read.lease_s) == (10.0, (1.0, 2.0, 60.0), 20.0)
    assert read.search_period_s == 60.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[tims]\nlease = 3",
            "tims is not known; allowed there: times, caps, documents, rate, delays, delivery, dead_numbers, "
            "retention, events, webhooks, rules",
        ),
        ("[times]\nlese = 3", "times.lese is not known; allowed there: post_total, read_total, lease"),
        ("times = 3", "times must be a table, written [times], not 3"),
        ('[times]\nlease = "soon"', "times.lease: 'soon' is not a duration; write seconds or text such as"),
        ("[times]\nlease = true", "times.lease: True is not a duration"),
        ("[times]\nlease = -3", "times.lease must be more than 0 seconds, not -3"),
        ("[times]\nlease = nan", "times.lease must be more than 0 seconds, not nan"),
        ("[times]\nlease = inf", "times.lease must be more than 0 seconds, not inf"),
        ("[times]\nnumber_distance = -1", "times.number_distance must be 0 seconds or more, not -1"),
        ("[times]\nlooks = 3", "times.looks: 3 is not a list of durations"),
        ("[times]\nlooks = []", "times.looks: [] is not a list of durations"),
        ("[times]\nlooks = [3, 2]", "times.looks must rise from each value to the next, not [3.0, 2.0]"),
        ("[times]\npoll = [0]", "times.poll must be more than 0 seconds"),
        (
            "[times]\npost_total = 30",
            "times.lease must be more than times.send_window and times.post_total together (30.2 s), not 30 s",
        ),
        ("[caps]\nmax_dials = 0", "caps.max_dials must be 1 or more, not 0"),
        ("[caps]\nmax_dials = 1.5", "caps.max_dials: 1.5 is not a whole number"),
        ("[rate]\nretry_floor = 2", "rate.retry_floor must be from 0 to 1, not 2"),
        ("[rate]\nrate_cut = 1", "rate.rate_cut must be more than 0 and less than 1"),
        ("[rate]\nprobe_gap = 11", "rate.probe_gap must be from 0 to 10 seconds, not 11"),
        ("[rate]\nbackoff_429 = [1]", "rate.backoff_429: [1] is not a list of two durations"),
        ("[rate]\nbackoff_429 = [9, 1]", "rate.backoff_429 must rise"),
        ("[delays]\njitter = 0.9", "delays.jitter must be from 0 to 0.5, not 0.9"),
        ("[delays]\nscale = 0", "delays.scale must be more than 0, not 0"),
        (
            '[delays]\ntime_zone = "Mars"',
            "delays.time_zone must be a time zone such as UTC or Europe/Berlin, not 'Mars'",
        ),
        ('[delays]\ntime_zone = "Europe"', "delays.time_zone must be a time zone"),
        ('[delays]\nbusiness_morning = "9"', "delays.business_morning must be a time from 00:00 to 23:59, not '9'"),
        ('[delivery]\non_partial = "maybe"', "delivery.on_partial must be resume, resend or stop, not 'maybe'"),
        (
            "[destinations]\ncountry = []",
            "destinations.country is not known; allowed there: countries, forbidden_types",
        ),
        ('[destinations]\ncountries = "DE"', "destinations.countries must be a list, not 'DE'"),
        ('[destinations]\ncountries = ["Germany"]', "destinations.countries: 'Germany' is not an ISO 3166 code"),
        ('[destinations]\nforbidden_types = ["fun"]', "destinations.forbidden_types: 'fun' is not a type of numbers;"),
        ("[destinations]\nmax_price_per_page = 1", "destinations.max_price_per_page needs a price list"),
        ("[prices]\nUS = 0.1", "prices.currency is missing"),
        ('[prices]\ncurrency = "USD"\nUS = "0.1"', "prices.US: '0.1' is not a price"),
        ('[prices]\ncurrency = "USD"\nUS = nan', "prices.US: nan is not a price"),
        ('[prices]\ncurrency = "USD"\nUS = -1', "prices.US: -1 is not a price"),
        ('[prices]\ncurrency = "USD"\nusa = 1', "prices.usa: write an ISO 3166 code such as DE, or a prefix"),
        (
            "[rules.busy]\nmax = 3",
            'rules."busy": write TYPE.CODE, such as "CALL_ERROR.17"; types: DOCUMENT_CONVERSION_ERROR',
        ),
        ('[rules."CALL_ERROR.x"]\nmax = 3', 'rules."CALL_ERROR.x": write TYPE.CODE'),
        (
            '[rules."CALL_ERROR.17"]\nmost = 3',
            'rules."CALL_ERROR.17".most is not known; allowed there: verdict, delays, max',
        ),
        ('[rules."CALL_ERROR.17"]\nmax = 0', 'rules."CALL_ERROR.17".max must be 1 or more attempts, not 0'),
        ('[rules."CALL_ERROR.17"]\ndelays = "3m"', 'rules."CALL_ERROR.17".delays must be a list of durations'),
        ('[rules."CALL_ERROR.17"]\ndelays = [-3]', 'rules."CALL_ERROR.17".delays must not be negative or endless'),
        ('[rules."CALL_ERROR.17"]\ndelays = ["later"]', "rules.\"CALL_ERROR.17\".delays: 'later' is not a duration"),
        ('[rules."CALL_ERROR.17"]\nverdict = "hold"', 'rules."CALL_ERROR.17".verdict must be "retry" or "permanent"'),
        ('[rules."CALL_ERROR.34"]\nmax = 3', 'write verdict = "retry", delays and max to change that'),
        ('[rules."CALL_ERROR.34"]\nverdict = "retry"\nmax = 3', "needs delays and max to be retried"),
        ('[rules."FAX_ERROR.46"]\nverdict = "retry"', "the verdict of this failure is fixed (hold)"),
        ('[rules."http.500"]\nverdict = "retry"', "the verdict of this failure is fixed (uncertain)"),
        ('[rules."http.429"]\ndelays = [1]', "this failure follows no list of delays"),
    ],
)
def test_a_bad_policy_is_refused_by_name(text: str, message: str) -> None:
    """The error names the key as it stands in the file, and what may stand there."""
    with pytest.raises(PolicyError, match=re.escape(message)):
        policy(text)


def test_figures_that_do_not_fit_are_refused_without_a_file_too() -> None:
    """A policy made in code keeps the same rules."""
    with pytest.raises(PolicyError, match=r"times\.lease"):
        Policy(lease_s=10.0)
    with pytest.raises(PolicyError, match=r"caps\.breaker_failures"):
        Policy(breaker_failures=21)
    with pytest.raises(PolicyError, match=r"times\.looks"):
        Policy(lookups_s=())


def test_a_changed_row_takes_the_place_of_the_tables() -> None:
    """Delays and limit of a row come from the file; category, counter and reason stay."""
    changed = policy('[rules."CALL_ERROR.17"]\ndelays = ["1m", "next business morning"]\nmax = 3')
    rule = classify("CALL_ERROR", 17, policy=changed)
    assert (rule.delays, rule.max_attempts) == ((60.0, CalendarDelay.NEXT_BUSINESS_MORNING), 3)
    assert (rule.category, rule.spends) == ("busy", "dial")
    assert classify("CALL_ERROR", 15, policy=changed) == classify("CALL_ERROR", 15, policy=Policy())


def test_a_changed_row_holds_for_unproven_numbers_as_well() -> None:
    """Otherwise a new limit would change nothing for numbers without a success in memory."""
    both = classify("CALL_ERROR", 30, policy=policy('[rules."CALL_ERROR.30"]\ndelays = ["1m"]\nmax = 9'))
    assert (both.delays_for(False), both.max_for(False)) == ((60.0,), 9)
    apart = policy('[rules."CALL_ERROR.30"]\nmax = 9\nunproven_delays = ["2h"]\nunproven_max = 2')
    rule = classify("CALL_ERROR", 30, policy=apart)
    assert (rule.max_for(True), rule.delays_for(False), rule.max_for(False)) == (9, (7200.0,), 2)


def test_a_pair_that_is_not_documented_can_get_a_row() -> None:
    """Operators who learn what a code means can say how it is retried."""
    rule = classify("LINE_ERROR", 89, policy=policy('[rules."LINE_ERROR.89"]\ndelays = ["9m"]\nmax = 2'))
    assert (rule.delays, rule.max_attempts, rule.error_code) == ((540.0,), 2, 89)


@pytest.mark.parametrize("row", ["CALL_ERROR.34", "DOCUMENT_CONVERSION_ERROR.128"])
def test_a_permanent_failure_can_be_made_retried(row: str) -> None:
    """Also where only a missing remedy makes it permanent."""
    error_type, code = row.split(".")
    changed = policy(f'[rules."{row}"]\nverdict = "retry"\ndelays = ["1h"]\nmax = 2')
    assert classify(error_type, int(code), policy=changed).verdict_now is Verdict.RETRY


def test_a_retried_failure_can_be_made_permanent() -> None:
    """The file may stop what the table would try again."""
    changed = policy('[rules."CALL_ERROR.19"]\nverdict = "permanent"')
    assert classify("CALL_ERROR", 19, policy=changed).verdict_now is Verdict.PERMANENT


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        "post_total",
        "looks",
        "poll",
        "max_dials",
        "backoff_429",
        "jitter",
        "most",
        "time_zone",
        "on_partial",
        "CALL_ERROR.17",
    ]
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["times", "caps", "rate", "delays", "delivery", "rules"]),
        VALUES
        | st.dictionaries(KEYS, VALUES | st.dictionaries(st.sampled_from(["delays", "max"]), VALUES), max_size=3),
    )
)
def test_any_document_is_read_or_refused_with_a_policy_error(document: Mapping[str, object]) -> None:
    """No content of a file leads to another error, and no policy that is read has an endless time."""
    try:
        read = policy_from(document)
    except PolicyError:
        return
    assert math.isfinite(read.lease_s)
