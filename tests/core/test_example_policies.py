"""The policy files that people start from."""

import tomllib
from dataclasses import fields
from pathlib import Path

from dispatcher.core.destinations import DestinationRule
from dispatcher.core.job import FailureCounters
from dispatcher.core.policy.policy import OPTION, Policy, policy_from
from dispatcher.core.retry.classify import classify
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry.decide import decide
from dispatcher.core.retry.decision import FailedAttempt, FailureHistory, GiveUp, RetryAt

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> Policy:
    return policy_from(tomllib.loads((EXAMPLES / name).read_text(encoding="utf-8")))


def test_the_commented_policy_is_the_default() -> None:
    """Taking the example as it stands changes nothing."""
    assert load("policy.toml") == Policy()


def test_the_commented_policy_shows_every_option() -> None:
    """Each field of the policy has its line, set or as a comment."""
    text = (EXAMPLES / "policy.toml").read_text(encoding="utf-8")
    keys = {line.removeprefix("# ").split(" = ")[0] for line in text.splitlines() if " = " in line}
    options = {field.metadata[OPTION].key for field in fields(Policy) if OPTION in field.metadata}
    assert options | set(DestinationRule) <= keys


def test_the_commented_rows_of_the_example_can_be_used() -> None:
    """Taking the comment marks off the rows gives a valid policy."""
    text = (EXAMPLES / "policy.toml").read_text(encoding="utf-8")
    rows = text[text.index("# [rules.") :].replace("\n# ", "\n").removeprefix("# ").replace("\n#\n", "\n\n")
    changed = policy_from(tomllib.loads(rows))
    assert set(changed.rules) == {("CALL_ERROR", 17), ("CALL_ERROR", 16), ("CALL_ERROR", 19)}


def test_the_commented_price_list_of_the_example_can_be_used() -> None:
    """Taking the comment marks off the prices gives a valid price list."""
    text = (EXAMPLES / "policy.toml").read_text(encoding="utf-8")
    table = text[text.index("# [prices]") : text.index("# Changes to rows")].replace("\n# ", "\n").removeprefix("# ")
    prices = policy_from(tomllib.loads(table)).destinations.prices
    assert str(prices.per_page("+4915212345678", "DE")) == "0.19"


def test_the_fast_policy_retries_a_busy_line_within_seconds() -> None:
    """A first busy retry comes after one to three seconds, and a job that is always busy ends within half a minute."""
    policy = load("fast-policy.toml")
    rule = classify("CALL_ERROR", 17, policy=policy)
    waits_s = []
    for before in range(8):
        history = FailureHistory(failures={"busy": before}, counters=FailureCounters(dials=before))
        decision = decide(
            FailedAttempt(rule=rule, history=history), DecisionContext(policy=policy, now_ms=0, chance=0.99)
        )
        if isinstance(decision, RetryAt):
            waits_s.append(decision.at_ms / 1000)
    assert isinstance(decision, GiveUp)
    assert 1 <= waits_s[0] <= 3
    assert sum(waits_s) < 30
