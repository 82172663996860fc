"""Changes that a policy makes to rows of the retry table: ``[rules."CALL_ERROR.17"]``."""

import re
from collections.abc import Mapping
from dataclasses import replace

from dispatcher.core.durations import parse_duration
from dispatcher.core.policy.document import PolicyError, check_keys, checked_table, convert, count
from dispatcher.core.retry_table.lookup import row_of
from dispatcher.core.retry_table.rule import ERROR_TYPES, OTHER, CalendarDelay, Delay, Fallback, Rule, Verdict
from dispatcher.core.times import LONGEST_S

#: types that a row may be changed for
_TYPES = tuple(name for name in ERROR_TYPES if name not in ("", OTHER))
_CODE = re.compile(r"[0-9]{1,6}")
_KEYS = ("verdict", "delays", "max", "unproven_delays", "unproven_max")


def rules_from(section: object) -> dict[tuple[str, int], Rule]:
    """The changed rows by (error type, error code). Raises PolicyError naming the key."""
    return dict(_rule_from(name, changes) for name, changes in checked_table("rules", section).items())


def _rule_from(name: str, section: object) -> tuple[tuple[str, int], Rule]:
    path = f'rules."{name}"'
    key = _key(path, name)
    changes = checked_table(path, section)
    check_keys(path, changes, _KEYS)
    rule = _with_delays(path, _with_verdict(path, row_of(*key), changes), changes)
    return key, _with_limits(path, rule, changes)


def _key(path: str, name: str) -> tuple[str, int]:
    kind, _, code = name.rpartition(".")
    if kind not in _TYPES or not _CODE.fullmatch(code):
        raise PolicyError(f'{path}: write TYPE.CODE, such as "CALL_ERROR.17"; types: {", ".join(_TYPES)}')
    return kind, int(code)


def _with_verdict(path: str, rule: Rule, changes: Mapping[str, object]) -> Rule:
    if "verdict" not in changes:
        if not rule.delays or rule.verdict_now in (Verdict.PERMANENT, Verdict.HOLD):
            raise PolicyError(f"{path}: this failure follows no list of delays ({rule.verdict_now}); {_hint(rule)}")
        return rule
    if rule.error_type == "http" or rule.verdict not in (Verdict.RETRY, Verdict.PERMANENT):
        raise PolicyError(f"{path}.verdict: the verdict of this failure is fixed ({rule.verdict})")
    verdict = changes["verdict"]
    if verdict not in ("retry", "permanent"):
        raise PolicyError(f'{path}.verdict must be "retry" or "permanent", not {verdict!r}')
    if verdict == "permanent":
        return replace(rule, verdict=Verdict.PERMANENT)
    if rule.verdict_now is Verdict.PERMANENT and not {"delays", "max"} <= changes.keys():
        raise PolicyError(f"{path}: a failure that is permanent by default needs delays and max to be retried")
    fallback = Fallback.UNCHANGED if rule.fallback is Fallback.PERMANENT else rule.fallback
    return replace(rule, verdict=Verdict.RETRY, fallback=fallback)


def _hint(rule: Rule) -> str:
    if rule.error_type != "http" and rule.verdict_now is Verdict.PERMANENT:
        return 'write verdict = "retry", delays and max to change that'
    return "nothing of it can be changed"


def _with_delays(path: str, rule: Rule, changes: Mapping[str, object]) -> Rule:
    """New delays hold for proven and unproven numbers alike, unless the latter get their own."""
    if "delays" in changes:
        rule = replace(rule, delays=_delays(f"{path}.delays", changes["delays"]), unproven_delays=())
    if "unproven_delays" in changes:
        path = f"{path}.unproven_delays"
        rule = replace(rule, unproven_delays=_delays(path, changes["unproven_delays"]))
    return rule


def _with_limits(path: str, rule: Rule, changes: Mapping[str, object]) -> Rule:
    if "max" in changes:
        rule = replace(rule, max_attempts=_limit(f"{path}.max", changes["max"]), unproven_max=0)
    if "unproven_max" in changes:
        rule = replace(rule, unproven_max=_limit(f"{path}.unproven_max", changes["unproven_max"]))
    return rule


def _limit(path: str, value: object) -> int:
    number = convert(path, count, value)
    if number < 1:
        raise PolicyError(f"{path} must be 1 or more attempts, not {number}")
    return number


def _delays(path: str, value: object) -> tuple[Delay, ...]:
    if not isinstance(value, list) or not value:
        raise PolicyError(f'{path} must be a list of durations, such as ["3m", "5m"], not {value!r}')
    return tuple(_delay(path, item) for item in value)


def _delay(path: str, value: object) -> Delay:
    if value in tuple(CalendarDelay):
        return CalendarDelay(str(value))
    seconds = convert(path, parse_duration, value)
    # written so that a NaN is refused too
    if not 0 <= seconds <= LONGEST_S:
        raise PolicyError(f"{path} must not be negative or endless, not {value!r}")
    return seconds
