"""What the end of an attempt adds to the metric totals. Counted in the write that ends it."""

from dispatcher.core.job import Record
from dispatcher.core.lifecycle import Event
from dispatcher.core.retry_table.rows import RULES
from dispatcher.core.settlement.transition import Transition
from dispatcher.store.codec import country_code, type_code, type_name
from dispatcher.store.rollback import ACCEPTED_TWICE, ADOPTED

#: stands for the code of an error that is not documented: the provider could name any number of them
OTHER_CODE = "other"
#: how an attempt after a failure, or to a country, ended
RESULTS = ("delivered", "failed")
_DELIVERED = (Event.DELIVERED, Event.UNCONFIRMED)


def counts_of(old: Record, transition: Transition) -> dict[str, int]:
    """Return the counters that a transition increases, by field."""
    counts = dict.fromkeys(_ended(old, transition), 1)
    if (end := _first_call_result(old, transition)) is not None:
        counts[f"first_calls|{end}"] = 1
    if transition.record.doubled and not old.doubled:
        counts["doubled"] = 1
    if transition.accepted_twice:
        counts[ACCEPTED_TWICE] = 1
    elif transition.lost is not None:
        counts[ADOPTED] = 1
    counts["pages"] = transition.pages
    counts |= {f"cost|{currency}": units for currency, units in transition.costs.items()}
    # a fax that turns out to have cost less takes nothing away: a counter only grows
    return {name: by for name, by in counts.items() if by > 0}


def _ended(old: Record, transition: Transition) -> list[str]:
    """Return the counters of an attempt that was delivered or failed."""
    failure = transition.history.failure if transition.event is not None and transition.history is not None else None
    if failure is not None and not failure.category:
        failure = None
    result = "delivered" if transition.event in _DELIVERED else "failed" if failure else ""
    counts = [f"countries|{country_code(old.country)}|{result}"] if result else []
    before = old.failure.category
    if result and before:
        counts.append(f"retries|{before}|{result}")
    if failure:
        counts += [f"failures|{failure.category}", _code(failure.error_type, failure.error_code)]
        counts += [f"retries_scheduled|{failure.category}"] if transition.event is Event.RETRIED else []
    return counts


def _code(error_type: str, error_code: int) -> str:
    code = str(error_code) if (error_type, error_code) in RULES else OTHER_CODE
    return f"failure_codes|{type_name(type_code(error_type))}|{code}"


def _first_call_result(old: Record, transition: Transition) -> str | None:
    """Return how the first call to a recipient ended: the category of its failure, or ``none`` for a delivery.

    Returns None for later calls, whose recipients are hard to reach: they say little about calls in general.
    """
    if old.counters.dials or old.counters.tries or transition.event is None:
        return None
    if transition.event is Event.DELIVERED:
        return "none"
    called = transition.record.counters.dials + transition.record.counters.tries > 0
    return transition.record.failure.category if called and transition.history is not None else None
