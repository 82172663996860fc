"""Reads scenarios from TOML files.

Every error message names the key and its allowed values.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from dispatcher.emulator import fax_errors
from dispatcher.emulator.odd_content import BODIES, FIELDS
from dispatcher.emulator.scenario import (
    CallbackFault,
    Choice,
    NumberRule,
    Outage,
    Outcome,
    ReadFault,
    RequestFault,
    Scenario,
)

T = TypeVar("T")
#: takes the text and the key of an outcome or fault and returns its value; None means no fault
Reader = Callable[[str, str], T | None]

_TOP_KEYS = (
    "seed", "latency", "list_delay", "retry_after", "outcomes", "requests", "callbacks", "lists", "reads", "fields",
    "named", "numbers", "outages", "hostile",
)  # fmt: skip
_RULE_KEYS = ("to", "prefix", "attempts", "outcomes", "requests", "callbacks")
_NAMED_KEYS = ("error", "pages_sent", "seconds")
_OUTAGE_KEYS = ("start", "seconds", "how")
_HOW = ("503", "500", "drop")
#: callback faults and their default seconds; None: the fault takes no seconds
_CALLBACK_SECONDS = {"lost": None, "early": None, "late": 5.0, "out_of_order": 5.0, "doubled": 0.0}
_ERROR = re.compile(r"([A-Z]+(?:_[A-Z]+)*) (\d{1,4})")
_NUMBER = re.compile(r"\+[1-9]\d{0,14}")
_REQUEST = re.compile(
    r"([2-5]\d\d)(?:_(before|after))?(?: retry-after (\S+))?(?: field (\S+))?(?: location (\S+))?(?: body (\w+))?"
)
_READ = re.compile(r"([2-5]\d\d)(?: retry-after (\S+))?(?: body (\w+))?")
_READ_KINDS = re.compile(r"(slow|page_size|no_total) (\d+(?:\.\d+)?)")
_BARE_FAULTS = {
    f"{kind}_{when}": (kind, when == "after") for kind in ("drop", "stall") for when in ("before", "after")
} | {"stall": ("stall", True)}


class ScenarioError(ValueError):
    """A scenario is invalid.

    The message names the key and its allowed values.
    """


def read_scenario(path: Path) -> Scenario:
    """Read a scenario from a TOML file.

    Raises:
        ScenarioError: the file cannot be read, is not TOML, or is not a valid scenario.
    """
    try:
        return parse_scenario(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ScenarioError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ScenarioError(f"{path}: {reason}") from error


def parse_scenario(text: str) -> Scenario:
    """Read a scenario from TOML text.

    Raises:
        ScenarioError: the text is not TOML or not a valid scenario.
    """
    try:
        return scenario_from(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"not TOML: {error}") from error


def scenario_from(data: Mapping[str, Any]) -> Scenario:
    """Build a scenario from parsed TOML or JSON.

    Raises:
        ScenarioError: a key or a value is invalid.
    """
    _check_keys(data, _TOP_KEYS, "")
    read_outcome = _outcome_reader(_table(data, "named"))
    numbers, prefixes = _rules(data.get("numbers", []), read_outcome)
    return Scenario(
        seed=_whole_number(data.get("seed", 1), "seed"),
        latency_s=_range(data.get("latency", 0.0), "latency"),
        list_delay_s=_seconds(data.get("list_delay", 0.0), "list_delay"),
        retry_after_s=_whole_number(data["retry_after"], "retry_after") if "retry_after" in data else None,
        outcomes=_choice(data.get("outcomes", {}), "outcomes", read_outcome),
        requests=_choice(data.get("requests", {}), "requests", _request_fault),
        callbacks=_choice(data.get("callbacks", {}), "callbacks", _callback_fault),
        lists=_choice(data.get("lists", {}), "lists", _read_fault),
        reads=_choice(data.get("reads", {}), "reads", _read_fault),
        fields=_choice(data.get("fields", {}), "fields", _odd_fields),
        numbers=numbers,
        prefixes=tuple(sorted(prefixes.items(), key=lambda item: -len(item[0]))),
        outages=tuple(_outages(data.get("outages", []))),
        hostile=_share(data.get("hostile", 0.0), "hostile"),
    )


def _outcome_reader(named: Mapping[str, Any]) -> Reader[Outcome]:
    named_outcomes = {name: _named_outcome(entry, f"named.{name}") for name, entry in named.items()}

    def read(text: str, key: str) -> Outcome | None:
        if text == "delivered":
            return None
        if text == "stuck":
            return Outcome(stuck=True)
        if text in named_outcomes:
            return named_outcomes[text]
        return _error_outcome(text, key, [*named_outcomes, *fax_errors.SHORT_NAMES])

    return read


def _named_outcome(entry: Any, key: str) -> Outcome:
    if not isinstance(entry, dict):
        raise ScenarioError(f"{key}: must be a table with {', '.join(_NAMED_KEYS)}")
    _check_keys(entry, _NAMED_KEYS, key)
    pages = entry.get("pages_sent")
    seconds = entry.get("seconds")
    error = entry.get("error")
    base = Outcome() if error is None else _error_outcome(error, f"{key}.error", [*fax_errors.SHORT_NAMES])
    return Outcome(
        error_type=base.error_type,
        error_code=base.error_code,
        pages_sent=None if pages is None else _whole_number(pages, f"{key}.pages_sent"),
        seconds=None if seconds is None else _seconds(seconds, f"{key}.seconds"),
    )


def _error_outcome(text: Any, key: str, names: list[str]) -> Outcome:
    if isinstance(text, str):
        if text in fax_errors.SHORT_NAMES:
            error_type, code = fax_errors.SHORT_NAMES[text]
            return Outcome(error_type=error_type, error_code=code)
        match = _ERROR.fullmatch(text)
        if match:
            return Outcome(error_type=match[1], error_code=int(match[2]))
    allowed = ", ".join(["delivered", "stuck", *names])
    raise ScenarioError(f'{key}: unknown outcome {text!r}; allowed: {allowed}, or "ERROR_TYPE CODE"')


def _request_fault(text: str, key: str) -> RequestFault | None:
    if text == "ok":
        return None
    if text in _BARE_FAULTS:
        kind, accepts = _BARE_FAULTS[text]
        return RequestFault(name=text, kind=kind, accepts=accepts)
    match = _REQUEST.fullmatch(text)
    if match is None:
        raise ScenarioError(
            f"{key}: unknown request outcome {text!r}; allowed: ok, {', '.join(_BARE_FAULTS)}, or a status from 200 to"
            ' 599 with "_before" or "_after" acceptance, "retry-after VALUE", "field NAME", "location URL", "body NAME"'
        )
    return RequestFault(
        name=text,
        kind="status",
        accepts=match[2] == "after",
        status=int(match[1]),
        retry_after=match[3] or "",
        field=match[4] or "to",
        location=match[5] or "/login",
        body=_body_name(match[6] or "", int(match[1]), key),
    )


def _body_name(name: str, status: int, key: str) -> str:
    """Check the name of an odd body.

    A 2xx needs one, because an ordinary 2xx is not a fault.
    """
    if name not in BODIES and (name or status < 300):
        raise ScenarioError(f"{key}: unknown body {name!r} for {status}; allowed: {', '.join(BODIES)}")
    return name


def _read_fault(text: str, key: str) -> ReadFault | None:
    """Read the fault of a list request or of the read of a single fax."""
    if text == "ok":
        return None
    if text in ("drop", "stall"):
        return ReadFault(name=text, kind=text)
    if match := _READ_KINDS.fullmatch(text):
        return ReadFault(name=text, kind=match[1], seconds=float(match[2]), size=max(1, int(float(match[2]))))
    if match := _READ.fullmatch(text):
        status = int(match[1])
        body = _body_name(match[3] or "", status, key)
        return ReadFault(name=text, kind="status", status=status, retry_after=match[2] or "", body=body)
    raise ScenarioError(
        f"{key}: unknown answer {text!r}; allowed: ok, drop, stall, slow SECONDS, page_size N, no_total N, or a status"
        ' from 200 to 599 with "retry-after VALUE", "body NAME"'
    )


def _odd_fields(text: str, key: str) -> str | None:
    if text == "ok":
        return None
    if text not in FIELDS:
        raise ScenarioError(f"{key}: unknown fields {text!r}; allowed: ok, {', '.join(FIELDS)}")
    return text


def _callback_fault(text: str, key: str) -> CallbackFault | None:
    if text == "ok":
        return None
    kind, _, seconds_text = text.partition(" ")
    default_s = _CALLBACK_SECONDS.get(kind)
    if kind not in _CALLBACK_SECONDS or (seconds_text and default_s is None):
        raise ScenarioError(
            f"{key}: unknown callback outcome {text!r}; allowed: ok, lost, early, and with or without seconds"
            " late, out_of_order, doubled"
        )
    try:
        seconds = float(seconds_text) if seconds_text else (default_s or 0.0)
    except ValueError:
        raise ScenarioError(f"{key}: {text!r}: {seconds_text!r} is not a number of seconds") from None
    return CallbackFault(kind=kind, seconds=_seconds(seconds, key))


def _choice(value: Any, key: str, read: Reader[T]) -> Choice[T]:
    """Read a choice: a string is chosen always, a list in order, a table by shares."""
    if isinstance(value, str):
        return Choice(sequence=(read(value, key),))
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return Choice(sequence=tuple(read(item, f"{key}[{index}]") for index, item in enumerate(value)))
    if isinstance(value, dict):
        shares = [(_share(share, f"{key}.{name}"), read(name, key)) for name, share in value.items()]
        total = sum(share for share, _ in shares)
        if total > 1.000001:
            raise ScenarioError(f"{key}: the shares add up to {total:g}; at most 1 is allowed")
        return Choice(shares=tuple(shares))
    raise ScenarioError(f"{key}: must be a name, a list of names, or a table of shares")


def _rules(entries: Any, read_outcome: Reader[Outcome]) -> tuple[dict[str, NumberRule], dict[str, NumberRule]]:
    exact: dict[str, NumberRule] = {}
    prefixes: dict[str, NumberRule] = {}
    for index, entry in enumerate(_tables(entries, "numbers")):
        key = f"numbers[{index}]"
        _check_keys(entry, _RULE_KEYS, key)
        if ("to" in entry) == ("prefix" in entry):
            raise ScenarioError(f'{key}: needs either "to" or "prefix"')
        kind = "to" if "to" in entry else "prefix"
        number = entry[kind]
        if not isinstance(number, str) or not _NUMBER.fullmatch(number):
            raise ScenarioError(f"{key}.{kind}: must be a number with + and digits, not {number!r}")
        (exact if kind == "to" else prefixes)[number] = _rule(entry, key, read_outcome)
    return exact, prefixes


def _rule(entry: Mapping[str, Any], key: str, read_outcome: Reader[Outcome]) -> NumberRule:
    if "attempts" in entry and "outcomes" in entry:
        raise ScenarioError(f'{key}: "attempts" (in order) and "outcomes" (shares) exclude each other')
    if not isinstance(entry.get("attempts", []), list):
        raise ScenarioError(f"{key}.attempts: must be a list of outcomes")
    name = "attempts" if "attempts" in entry else "outcomes"
    return NumberRule(
        outcomes=_choice(entry[name], f"{key}.{name}", read_outcome) if name in entry else None,
        requests=_choice(entry["requests"], f"{key}.requests", _request_fault) if "requests" in entry else None,
        callbacks=_choice(entry["callbacks"], f"{key}.callbacks", _callback_fault) if "callbacks" in entry else None,
    )


def outage_from(entry: Mapping[str, Any], key: str) -> Outage:
    """Read an outage from parsed TOML or JSON; ``start`` defaults to 0.

    Raises:
        ScenarioError: a key or a value is invalid.
    """
    _check_keys(entry, _OUTAGE_KEYS, key)
    how = str(entry.get("how", "503"))
    if how not in _HOW:
        raise ScenarioError(f"{key}.how: must be one of {', '.join(_HOW)}, not {how!r}")
    if "seconds" not in entry:
        raise ScenarioError(f"{key}.seconds: is missing")
    return Outage(
        start_s=_seconds(entry.get("start", 0.0), f"{key}.start"),
        seconds=_seconds(entry["seconds"], f"{key}.seconds"),
        how=how,
    )


def _outages(entries: Any) -> list[Outage]:
    return [outage_from(entry, f"outages[{index}]") for index, entry in enumerate(_tables(entries, "outages"))]


def _check_keys(table: Mapping[str, Any], allowed: tuple[str, ...], key: str) -> None:
    for name in table:
        if name not in allowed:
            full_key = f"{key}.{name}" if key else name
            raise ScenarioError(f"{full_key}: unknown key; allowed: {', '.join(allowed)}")


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise ScenarioError(f"{key}: must be a table")
    return value


def _tables(value: Any, key: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ScenarioError(f"{key}: must be a list of tables, written [[{key}]]")
    return value


def _number(value: Any, key: str, description: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise ScenarioError(f"{key}: must be {description}, not {value!r}")
    return float(value)


def _seconds(value: Any, key: str) -> float:
    return _number(value, key, "a number of seconds, 0 or more")


def _share(value: Any, key: str) -> float:
    share = _number(value, key, "a share between 0 and 1")
    if share > 1:
        raise ScenarioError(f"{key}: must be a share between 0 and 1, not {value!r}")
    return share


def _whole_number(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ScenarioError(f"{key}: must be a whole number, 0 or more, not {value!r}")
    return value


def _range(value: Any, key: str) -> tuple[float, float]:
    if isinstance(value, list) and len(value) == 2:
        min_s, max_s = _seconds(value[0], f"{key}[0]"), _seconds(value[1], f"{key}[1]")
        if min_s > max_s:
            raise ScenarioError(f"{key}: the first must not be more than the second")
        return min_s, max_s
    return (_seconds(value, key),) * 2
