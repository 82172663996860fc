"""Webhook endpoints: where producers are told of events, and what follows from a delivery.

An endpoint is a position in the stream of events. It gets one request at a time, so events arrive in order. A delivery
that fails is repeated with growing delays, and nothing behind it is delivered before:

================================  ==========================================================
answer                            what follows
================================  ==========================================================
2xx                               delivered: the endpoint moves on
410                               the endpoint is disabled: it says that it is gone
429, 503 with ``Retry-After``     again after that time, an hour at most, or after the delay
413 to more than one event        fewer of them at once, and smaller bodies for a day
any other, or none in time        again after the delay
the same for ``give_up``          the endpoint is disabled, once each delay was waited
================================  ==========================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.core.batch_events import EventType
from dispatcher.core.counted import counted
from dispatcher.core.durations import duration_text
from dispatcher.core.policy.policy import Policy

#: maximum number of endpoints of an account; each has a place of its own among the deliveries
MAX_ENDPOINTS = 20
#: maximum number of events in a body, and its size in bytes, from which on it gets no other event
MAX_EVENTS, MAX_BODY_BYTES = 500, 256_000
#: seconds for which an endpoint gets smaller bodies after it said that one was too large
_SMALLER_S = 86_400.0
#: seconds for which the former secret still signs after a rotation
ROTATION_S = 86_400.0
#: maximum secrets that sign at the same time
_MAX_SECRETS = 4
#: maximum seconds of a ``Retry-After`` that are waited
_MAX_RETRY_AFTER_S = 3600.0
_GONE, _TOO_LARGE, _NAMED_WAITS = 410, 413, frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSecret:
    """A secret that signs deliveries, until a time (0: for good)."""

    value: str
    until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint as its owner defines it."""

    id: str
    url: str
    #: empty: all types
    types: tuple[EventType, ...] = ()
    description: str = ""
    created_ms: int = 0
    #: the present one first
    secrets: tuple[SigningSecret, ...] = ()

    def signing(self, now_ms: int) -> Sequence[str]:
        """Return the secrets that sign now."""
        return [secret.value for secret in self.secrets if not secret.until_ms or now_ms < secret.until_ms]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDelivery:
    """What is sent to an endpoint next, or again: the same events under the same id until it has them."""

    id: str
    #: the endpoint has all events until then once this is delivered
    last: str
    events: int
    #: attempts that have failed, and when the first one ended (0: there was none)
    failures: int = 0
    failing_since_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAnswer:
    """What came of an attempt. ``status`` is 0 without an answer; ``error`` says why it failed, in a few words."""

    status: int
    error: str = ""
    retry_after_s: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the endpoint has taken the events."""
        return 200 <= self.status < 300


class DeliveryResult(StrEnum):
    """What follows from an attempt."""

    DELIVERED = "delivered"
    #: it failed, and is repeated
    FAILED = "failed"
    #: it failed, and the endpoint gets nothing more
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDecision:
    """What follows from an attempt: when it is repeated (0: not), or why the endpoint is disabled.

    ``body_bytes`` (0: as it is) bounds the next bodies: the events are delivered in smaller ones, as other deliveries.
    """

    result: DeliveryResult
    again_ms: int = 0
    reason: str = ""
    body_bytes: int = 0


def after_answer(
    answer: WebhookAnswer, delivery: PlannedDelivery, body_bytes: int, *, policy: Policy, now_ms: int, chance: float
) -> DeliveryDecision:
    """Return what follows from the answer to a delivery of some bytes. ``chance``, from 0 to 1, moves the delay."""
    if answer.ok:
        return DeliveryDecision(result=DeliveryResult.DELIVERED)
    if answer.status == _GONE:
        return DeliveryDecision(result=DeliveryResult.DISABLED, reason="the endpoint answered 410: it is gone")
    if answer.status == _TOO_LARGE and delivery.events > 1:
        return DeliveryDecision(result=DeliveryResult.FAILED, again_ms=now_ms, body_bytes=body_bytes // 2)
    since_ms, delays = delivery.failing_since_ms or now_ms, policy.webhook_delays_s
    # a long time in which nothing was tried, as nothing could deliver, says nothing of the endpoint
    if now_ms - since_ms >= policy.webhook_give_up_s * 1000 and delivery.failures >= len(delays):
        failures = counted(delivery.failures + 1, "delivery", "deliveries")
        reason = f"{failures} failed in {duration_text(policy.webhook_give_up_s)}, the last with: {answer.error}"
        return DeliveryDecision(result=DeliveryResult.DISABLED, reason=reason)
    delay_s = delays[min(delivery.failures, len(delays) - 1)] * (1 + policy.jitter * (2 * chance - 1))
    if answer.status in _NAMED_WAITS and answer.retry_after_s is not None:
        delay_s = max(delay_s, min(answer.retry_after_s, _MAX_RETRY_AFTER_S))
    return DeliveryDecision(result=DeliveryResult.FAILED, again_ms=now_ms + round(delay_s * 1000))


def body_bound(body_bytes: int, since_ms: int, now_ms: int) -> int:
    """Return the size of a body, in bytes, from which on it gets no other event.

    ``body_bytes`` is what an endpoint takes, as was learnt at ``since_ms`` (0: it has not said).
    """
    # a time that is still to come is of another clock, or of one that was set back
    is_known = abs(now_ms - since_ms) < _SMALLER_S * 1000
    return min(body_bytes, MAX_BODY_BYTES) if body_bytes and is_known else MAX_BODY_BYTES


def longest_delay_s(policy: Policy) -> float:
    """Return the longest time for which a delivery is put off, in seconds."""
    return max(max(policy.webhook_delays_s) * (1 + policy.jitter), _MAX_RETRY_AFTER_S)


def rotated(secrets: Sequence[SigningSecret], value: str, now_ms: int) -> tuple[SigningSecret, ...]:
    """Return the secrets with a new one in front. The present one signs for a day more, older ones until their end.

    So a rotation that is repeated because its answer was lost does not end the secret that the receiver has.
    """
    until_ms = now_ms + round(ROTATION_S * 1000)
    present = (SigningSecret(value=secret.value, until_ms=until_ms) for secret in secrets[:1])
    older = (secret for secret in secrets[1:] if secret.until_ms > now_ms)
    signing = (SigningSecret(value=value), *present, *older)
    # of too many the oldest stays: those between come from repeats whose answers were lost
    return signing if len(signing) <= _MAX_SECRETS else (*signing[: _MAX_SECRETS - 1], signing[-1])
