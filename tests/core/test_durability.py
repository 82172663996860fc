"""The judgement of a server, from what it says about itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.durability import Answer, Durability, judge

ALWAYS, EVERYSEC, REPLICATED = Durability
SAFE, UNSAFE, UNVERIFIED = Answer
#: what a server says that syncs every write
INFO = {"aof_enabled": 1, "maxmemory_policy": "noeviction", "maxmemory": 0}
CONFIG = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}


@pytest.mark.parametrize(
    ("info", "config", "answers"),
    [
        (INFO, CONFIG, (SAFE, SAFE, SAFE)),
        # a managed server: INFO alone never proves that every write is synced
        (INFO, {}, (UNVERIFIED, UNVERIFIED, SAFE)),
        ({**INFO, "aof_enabled": 0}, {}, (UNSAFE, UNSAFE, SAFE)),
        ({**INFO, "maxmemory_policy": "allkeys-lru"}, {}, (UNSAFE, UNSAFE, UNSAFE)),
        ({**INFO, "maxmemory_policy": "volatile-lru"}, CONFIG, (UNSAFE, UNSAFE, UNSAFE)),
        # neither command is allowed
        ({}, {}, (UNVERIFIED, UNVERIFIED, UNVERIFIED)),
        ({}, CONFIG, (SAFE, SAFE, SAFE)),
        (INFO, {**CONFIG, "appendfsync": "everysec"}, (UNSAFE, SAFE, SAFE)),
        (INFO, {**CONFIG, "appendfsync": "no"}, (UNSAFE, UNSAFE, SAFE)),
        (INFO, {**CONFIG, "no-appendfsync-on-rewrite": "yes"}, (UNSAFE, UNSAFE, SAFE)),
        # what is in force counts more than what is configured
        ({**INFO, "aof_enabled": 0}, CONFIG, (UNSAFE, UNSAFE, SAFE)),
    ],
)
def test_each_answer(info: dict[str, object], config: dict[str, str], answers: tuple[Answer, ...]) -> None:
    assert tuple(judge(level, info, config).answer for level in Durability) == answers


def test_the_sentence_says_what_is_wrong_what_is_unknown_or_what_may_be_lost() -> None:
    lossy = {**INFO, "aof_enabled": 0, "maxmemory_policy": "allkeys-lru"}
    assert judge(ALWAYS, lossy, {}).sentence == (
        "Redis can lose accepted faxes: appendonly is no, must be yes, "
        "maxmemory-policy is allkeys-lru, must be noeviction"
    )
    assert judge(ALWAYS, INFO, {}).sentence == (
        "it cannot be verified that Redis keeps what it acknowledged: "
        "it does not tell no-appendfsync-on-rewrite and appendfsync"
    )
    assert "last two seconds" in judge(EVERYSEC, INFO, CONFIG).sentence
    assert "replica" in judge(REPLICATED, INFO, {}).sentence


_VALUES = st.sampled_from(["yes", "no", "always", "everysec", "noeviction", "allkeys-lru", ""])


@given(
    st.fixed_dictionaries({}, optional={"aof_enabled": st.integers(0, 1), "maxmemory_policy": _VALUES}),
    st.dictionaries(st.sampled_from(sorted(CONFIG)), _VALUES),
    st.sampled_from(Durability),
)
def test_nothing_is_safe_that_is_not_said_and_no_eviction_is_ever_allowed(
    info: dict[str, object], config: dict[str, str], level: Durability
) -> None:
    judgement = judge(level, info, config)
    if judgement.evicts:
        assert judgement.answer is UNSAFE
    if judgement.answer is SAFE:
        assert judge(REPLICATED, info, config).answer is SAFE
    if level is ALWAYS and judgement.answer is SAFE:
        assert config["appendfsync"] == "always"
        assert judge(EVERYSEC, info, config).answer is SAFE
