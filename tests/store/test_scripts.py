"""What Python and Lua must agree on: names, numbers, layouts."""

import re
import struct
from itertools import takewhile
from pathlib import Path

import pytest

from dispatcher.core.batch import Control, Priority
from dispatcher.core.job import FailureCode, JobId, Record, State
from dispatcher.core.limits import allowance, rate
from dispatcher.core.limits.rate import CATCH_UP_US, interval_us
from dispatcher.core.limits.shares import QUANTUM, STRIDE
from dispatcher.core.settlement.transition import HELD_MS
from dispatcher.store import audit, codec, dispatch, keys, lua, wakes
from tests.store.fixture import StoreFixture

SCRIPTS = Path(lua.__file__).parent / "scripts"
PRELUDES = ("record", "workers", "leases", "epoch", "pacing", "holding", "parking")
VERBS = sorted(path.stem for path in SCRIPTS.glob("*.lua") if path.stem not in PRELUDES)
RECORD_LUA = (SCRIPTS / "record.lua").read_text()
TABLE = {line.split()[0]: line.split()[1] for line in (keys.__doc__ or "").splitlines() if line.startswith("bf:")}


def constants(script: str) -> dict[str, float]:
    """The numbers that ``local A, B = 1, 2`` lines give names to."""
    found: dict[str, float] = {}
    for names, values in re.findall(
        r"^local ([A-Z_, a-z]+) = ([\d., ]+)$", (SCRIPTS / f"{script}.lua").read_text(), re.MULTILINE
    ):
        found |= dict(zip(names.split(", "), map(float, values.split(", ")), strict=True))
    return found


def test_lua_numbers_rows_and_states_as_python_does() -> None:
    found = constants("record")
    assert (found.pop("BLOCK"), found.pop("WIDTH")) == (keys.BLOCK, codec.WIDTH)
    assert found.pop("LONGEST_SLEEP_MS") == wakes.LONGEST_SLEEP_S * 1000
    assert found.pop("NEVER") == HELD_MS == 253_402_300_799_000, "9999-12-31 23:59:59 UTC"
    found.pop("CLEAN_UP_MS")
    assert found == {state.name: state for state in State if state.name in found}
    assert {"VOID", "WAITING", "LEASED", "SENDING", "ACCEPTED", "DELIVERED", "CANCELLED", "EXPIRED"} == set(found)
    assert "local FINAL = DELIVERED" in RECORD_LUA
    assert min(state for state in State if state.final) is State.DELIVERED


def test_lua_watches_the_same_sets_as_python() -> None:
    (table,) = re.findall(r"^local WATCH = \{(.*)\}$", RECORD_LUA, re.MULTILINE)
    (unclear,) = re.findall(r"^local UNCLEAR = '(.*)'$", RECORD_LUA, re.MULTILINE)
    found = dict(re.findall(r"\[(\w+)\] = '([^']+)'", table)) | {"UNCLEAR": unclear}
    assert found == {place.name: key for place, key in keys.WATCH.items()}


def test_lua_ends_batches_under_the_same_words_as_python() -> None:
    (table,) = re.findall(r"^local ENDING = \{(.*)\}$", RECORD_LUA, re.MULTILINE)
    ended = {Control.CANCELLED.value: "CANCELLED", Control.EXPIRED.value: "EXPIRED"}
    assert dict(re.findall(r"(\w+) = (\w+)", table)) == ended


def test_lua_shares_and_paces_by_the_numbers_of_the_core() -> None:
    claim, pace = constants("claim"), constants("pacing")
    assert (claim["QUANTUM"], claim["STRIDE"]) == (QUANTUM, STRIDE)
    names = {
        "USED",
        "CATCH_UP_US",
        "SLOWEST",
        "FURTHEST_US",
        "WINDOW_US",
        "WINDOW_SLOTS",
        "MOST_AHEAD_US",
        "LONGEST_WAIT_US",
    }
    names |= {"READ_BURST_US", "LEFT_OVER_US"}
    assert pace == {name: getattr(rate, name) for name in names}
    text = (SCRIPTS / "pacing.lua").read_text()
    fields = re.findall(r"'(\w+)'", re.findall(r"local PACE = \{(.*?)\}", text, re.DOTALL)[0])
    assert [*fields, "allowances"] == list(rate.RateState.__slots__)


def test_lua_counts_longer_times_in_the_buckets_of_the_core() -> None:
    text = (SCRIPTS / "pacing.lua").read_text()
    (both,) = re.findall(r"^local BUCKET_US, BUCKETS = \{(.*)\}, \{(.*)\}$", text, re.MULTILINE)
    lengths, numbers = (dict(re.findall(r"(\w+) = (\d+)", table)) for table in both)
    assert {name: (int(lengths[name]), int(numbers[name])) for name in lengths} == allowance.BUCKETS


def test_settle_reads_as_many_values_of_each_change_as_python_gives() -> None:
    change = dispatch.StoredTransition(job=JobId("a", 0), old=Record(), new=Record())
    assert constants("settle")["FIELDS"] == len(tuple(dispatch._arguments(change)))


def test_the_head_of_a_record_is_where_lua_looks_for_it() -> None:
    """State, strikes, country, attempt, lease in the first twelve bytes, then category and type; flags in byte 21."""

    record = Record(
        state=State.SENDING,
        strikes=3,
        country="AB",
        attempt=515,
        lease=70_000,
        failure=FailureCode(category="busy", error_type="LINE_ERROR"),
    )
    raw = codec.encode_record(record)
    assert "struct.unpack('<BBHI4I4', record)" in RECORD_LUA
    assert struct.unpack_from("<BBHII", raw) == (State.SENDING, 3, 2, 515, 70_000)
    assert raw[12:14] == bytes((codec.category_code("busy"), codec.type_code("LINE_ERROR")))
    assert [
        codec.encode_record(Record(doubled=doubled, unclear=unclear, force_fine=fine))[20]
        for doubled, unclear, fine in ((True, False, False), (False, True, False), (False, False, True))
    ] == [1, 2, 4]


@pytest.mark.anyio
async def test_python_counts_a_record_in_the_field_that_lua_counts_it_in(world: StoreFixture) -> None:
    raw = codec.encode_record(Record(failure=FailureCode(category="busy", error_type="LINE_ERROR")))
    script = f"{RECORD_LUA}\nreturn count_field(count_of(ARGV[1]))"
    assert (await world.client.eval(script, 0, raw)).decode() == audit.count_field(raw)


@pytest.mark.parametrize("verb", VERBS)
def test_a_script_says_what_it_takes_and_answers(verb: str) -> None:
    """And that it may be repeated, or what a repetition does."""
    text = (SCRIPTS / f"{verb}.lua").read_text()
    head = "".join(takewhile(lambda line: line.startswith("--"), text.splitlines(keepends=True)))
    assert head.startswith(f"-- {verb}: ")
    assert "-- ARGV: " in head
    assert "Answer: " in head
    assert re.search(r"Safe to repeat|repeated call", head.replace("\n-- ", " "))


@pytest.mark.parametrize("verb", VERBS)
def test_a_script_keeps_to_the_commands_of_redis_6_2(verb: str) -> None:
    known = {
        *("BITFIELD", "BITPOS", "DEL", "EXISTS", "GET", "GETBIT", "GETRANGE", "HDEL", "HEXISTS", "HGET", "HGETALL"),
        *("HINCRBY", "HLEN", "HMGET", "HSET", "HSETNX", "HVALS", "LPUSH", "LTRIM", "PEXPIRE", "RPUSH", "SADD"),
        *("SCARD", "SET", "SETBIT", "SETRANGE", "SMEMBERS", "SMISMEMBER", "SRANDMEMBER", "SREM", "TIME", "UNLINK"),
        *("XADD", "XGROUP", "XINFO", "XLEN", "ZADD", "ZCARD", "ZCOUNT", "ZRANGE"),
        *("ZRANGEBYSCORE", "ZREM", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE", "ZSCORE"),
    }
    used = set(re.findall(r"redis\.call\('(\w+)'", lua.source(verb)))
    assert used <= known


#: lives of keys that do not end with a time for cleaning up, and why nothing is decided by their end
_LIVES = {
    # a repeat that comes later finds that the lease or the jobs are not its any more
    "begin": ["REPEATABLE_MS"],
}


@pytest.mark.parametrize("script", sorted(path.stem for path in SCRIPTS.glob("*.lua")))
def test_the_end_of_a_keys_life_decides_nothing(script: str) -> None:
    """Times that decide are stored and compared with the server's; a key lives on for a while after its time."""
    text = (SCRIPTS / f"{script}.lua").read_text()
    lives = re.findall(r"'PX', ([^\n]*)\)$", text, re.MULTILINE) + re.findall(
        r"'PEXPIRE', key, (.*)\)$", text, re.MULTILINE
    )
    assert len(lives) == len(re.findall(r"'(?:PX|EX|PXAT|EXAT|P?EXPIRE(?:AT)?)'", text))
    assert [life for life in lives if not life.endswith("+ CLEAN_UP_MS)")] == _LIVES.get(script, [])
    assert not re.search(r"'P?(TTL|EXPIRETIME)'", text)


def test_python_gives_no_key_a_life_that_anything_depends_on() -> None:
    """Idempotency keys are promised for days at least; the other is the trace of a check that Redis writes."""
    gives = re.compile(r"\b(px|ex|pxat|exat)=|\.p?expire(at)?\(|setex\(")
    paths = Path(lua.__file__).parent.glob("*.py")
    assert {path.name for path in paths if gives.search(path.read_text())} == {"keep.py", "store.py"}


def test_every_key_that_lua_names_is_in_the_table() -> None:
    """A name ends with the quote or goes on with an id."""
    text = "".join(path.read_text() for path in SCRIPTS.glob("*.lua"))
    named = set(re.findall(r"'(bf:[\w:]+)'", text)) - {"bf:batch:", "bf:strikes:batch:", "bf:strikes:document:"}
    shapes = {re.sub(r"<.*", "", name) for name in TABLE} | set(TABLE)
    assert named <= shapes
    parts = set(re.findall(r"part_key\(\w+, '(\w+)'", text)) | {"block", "records", "history", "long_ids"}
    assert parts <= {name.split(":")[3] for name in TABLE if name.startswith("bf:batch:<id>:")}


def test_every_key_that_python_names_is_in_the_table() -> None:
    fixed = {value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}
    built = {
        keys.active("<class>"),
        keys.lease("<id>"),
        keys.keep("<kind>", "<hash>"),
        keys.document("<sha256>"),
        keys.chunks("<sha256>"),
        keys.batch("<id>"),
    }
    assert fixed | built | set(keys.WATCH.values()) <= set(TABLE)


def test_the_table_of_keys_names_a_type_for_each() -> None:
    assert set(TABLE.values()) <= {"string", "hash", "set", "zset", "list", "stream"}
    assert {keys.active(priority) for priority in Priority} == {"bf:active:urgent", "bf:active:bulk"}


@pytest.mark.anyio
async def test_times_in_microseconds_are_written_whole(world: StoreFixture) -> None:
    """Lua's own way to write a number keeps 14 digits, which loses microseconds."""
    await world.at(1_795_000_000_123_457)
    permit = await world.limiter.take_permit()
    assert permit.granted
    pace = await world.limiter.state()
    assert pace.tat_us == 1_795_000_000_123_457 - CATCH_UP_US + interval_us(pace.rate)
