"""What follows from an answer to a delivery, and which secrets sign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.policy.policy import Policy
from dispatcher.core.webhooks import (
    MAX_BODY_BYTES,
    DeliveryDecision,
    DeliveryResult,
    Endpoint,
    PlannedDelivery,
    SigningSecret,
    WebhookAnswer,
    after_answer,
    body_bound,
    longest_delay_s,
    rotated,
)

POLICY, NOW_MS, DAY_MS = Policy(), 1_795_000_000_000, 86_400_000


def decided(
    status: int,
    failures: int = 0,
    since_ms: int = 0,
    *,
    chance: float = 0.5,
    retry_after_s: float | None = None,
    events: int = 1,
) -> DeliveryDecision:
    delivery = PlannedDelivery(id="msg_1", last="1-0", events=events, failures=failures, failing_since_ms=since_ms)
    answer = WebhookAnswer(status=status, error="HTTP", retry_after_s=retry_after_s)
    return after_answer(answer, delivery, 1001, policy=POLICY, now_ms=NOW_MS, chance=chance)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_success_is_taken(status: int) -> None:
    assert decided(status, failures=7, since_ms=1) == DeliveryDecision(result=DeliveryResult.DELIVERED)


@pytest.mark.parametrize(
    ("status", "failures", "retry_after_s", "delay_s"),
    [
        (0, 0, None, 5),
        (500, 0, None, 5),
        (301, 1, None, 30),
        (404, 2, None, 120),
        (503, 3, None, 600),
        (0, 6, None, 10_800),
        (0, 99, None, 10_800),
        (429, 0, 40.0, 40),
        (503, 0, 2.0, 5),  # no less than the delay
        (503, 0, 99_999.0, 3600),  # an hour at most
        (500, 0, 40.0, 5),  # it names no time with this status
    ],
)
def test_a_failure_is_repeated_with_growing_delays(
    status: int, failures: int, retry_after_s: float | None, delay_s: int
) -> None:
    decision = decided(status, failures, NOW_MS - 1, retry_after_s=retry_after_s)
    assert decision == DeliveryDecision(result=DeliveryResult.FAILED, again_ms=NOW_MS + delay_s * 1000)


def test_an_endpoint_that_is_gone_is_disabled_at_once() -> None:
    decision = decided(410)
    assert (decision.result, decision.reason) == (DeliveryResult.DISABLED, "the endpoint answered 410: it is gone")


def test_an_endpoint_is_disabled_after_three_days_of_failures() -> None:
    assert decided(500, 30, NOW_MS - 3 * DAY_MS + 1).result is DeliveryResult.FAILED
    decision = decided(500, 30, NOW_MS - 3 * DAY_MS)
    assert decision.result is DeliveryResult.DISABLED
    assert decision.reason == "31 deliveries failed in 3 d, the last with: HTTP"


def test_an_endpoint_is_not_disabled_for_a_time_in_which_nothing_was_tried() -> None:
    """Each delay was waited once before. The scheduler, or Redis, may have been away for days."""
    tries = len(POLICY.webhook_delays_s)
    for failures, result in ((1, DeliveryResult.FAILED), (tries - 1, DeliveryResult.FAILED), (tries, "disabled")):
        assert decided(500, failures, NOW_MS - 9 * DAY_MS).result == result


def test_a_body_that_is_too_large_becomes_smaller_ones_at_once() -> None:
    """However long it has failed. A single event cannot become smaller, and is repeated like any other."""
    for since_ms in (0, NOW_MS - 9 * DAY_MS):
        decision = decided(413, 30, since_ms, events=2)
        assert decision == DeliveryDecision(result=DeliveryResult.FAILED, again_ms=NOW_MS, body_bytes=500)
    assert decided(413, events=1) == DeliveryDecision(result=DeliveryResult.FAILED, again_ms=NOW_MS + 5000)
    assert decided(413, 30, NOW_MS - 9 * DAY_MS).result is DeliveryResult.DISABLED


def test_what_an_endpoint_takes_is_known_for_a_day() -> None:
    """Then it may get large bodies again, and however far a clock is set back. Silence bounds nothing."""
    for learnt_ms, bound in (
        (0, 500),
        (DAY_MS - 1, 500),
        (DAY_MS, MAX_BODY_BYTES),
        (-1, 500),
        (-DAY_MS, MAX_BODY_BYTES),
    ):
        assert body_bound(500, NOW_MS - learnt_ms, NOW_MS) == bound
    assert body_bound(0, 0, NOW_MS) == MAX_BODY_BYTES
    assert body_bound(10**9, NOW_MS, NOW_MS) == MAX_BODY_BYTES


@given(st.integers(0, 600), st.integers(0, 50), st.floats(0, 1), st.none() | st.floats(0, 1e9), st.integers(1, 500))
def test_every_answer_leads_somewhere(
    status: int, failures: int, chance: float, retry_after_s: float | None, events: int
) -> None:
    """A failure is repeated within the longest delay and the jitter, or the endpoint says why it is disabled."""
    decision = decided(status, failures, NOW_MS - 1000, chance=chance, retry_after_s=retry_after_s, events=events)
    match decision.result:
        case DeliveryResult.DELIVERED:
            assert 200 <= status < 300
        case DeliveryResult.DISABLED:
            assert decision.reason
        case DeliveryResult.FAILED if decision.body_bytes:
            assert (status, decision.again_ms) == (413, NOW_MS)
        case DeliveryResult.FAILED:
            assert 4000 <= decision.again_ms - NOW_MS <= 10_800_000 * (1 + POLICY.jitter)


@given(st.floats(0, 1))
def test_a_delivery_that_always_fails_is_tried_for_three_days_and_then_no_more(chance: float) -> None:
    """With growing delays, so that there are few dozen attempts."""
    now_ms, failures, waits = NOW_MS, 0, list[int]()
    while (decision := fails_at(now_ms, failures, chance)).result is DeliveryResult.FAILED:
        waits.append(decision.again_ms - now_ms)
        now_ms, failures = decision.again_ms, failures + 1
    assert waits == sorted(waits)
    assert 3 * DAY_MS <= now_ms - NOW_MS <= 3 * DAY_MS + longest_delay_s(POLICY) * 1000
    assert 20 < failures < 45


def fails_at(now_ms: int, failures: int, chance: float) -> DeliveryDecision:
    since_ms = NOW_MS if failures else 0
    delivery = PlannedDelivery(id="msg_1", last="1-0", events=1, failures=failures, failing_since_ms=since_ms)
    answer = WebhookAnswer(status=500, error="HTTP 500")
    return after_answer(answer, delivery, 1, policy=POLICY, now_ms=now_ms, chance=chance)


def test_a_former_secret_signs_for_a_day_even_if_the_rotation_is_repeated() -> None:
    first = (SigningSecret(value="a"),)
    second = rotated(first, "b", NOW_MS)
    third = rotated(second, "c", NOW_MS + 1)
    endpoint = Endpoint(id="we_1", url="https://example.com", secrets=second)
    assert endpoint.signing(NOW_MS + DAY_MS - 1) == ["b", "a"]
    assert endpoint.signing(NOW_MS + DAY_MS) == ["b"]
    assert [(secret.value, secret.until_ms) for secret in third] == [
        ("c", 0),
        ("b", NOW_MS + 1 + DAY_MS),
        ("a", NOW_MS + DAY_MS),
    ]
    assert [secret.value for secret in rotated(third, "d", NOW_MS + DAY_MS)] == ["d", "c", "b"]
    many = third
    for value in "defghijk":
        many = rotated(many, value, NOW_MS + 2)
    # however often it is repeated, what the receiver has goes on to sign
    assert [secret.value for secret in many] == ["k", "j", "i", "a"]
