"""What Python and Lua must agree on: names, numbers, layouts."""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import pytest
import redis

from dispatcher.core.batch import Control, Priority
from dispatcher.core.dead_numbers import CallEnd
from dispatcher.core.job import FailureCode, JobId, Record, State
from dispatcher.core.limits import allowance, rate
from dispatcher.core.limits.rate import CATCH_UP_US, interval_us
from dispatcher.core.limits.shares import QUANTUM, STRIDE
from dispatcher.store import audit, codec, dispatch, keys, lua, protocol
from dispatcher.store.keys import Keys
from tests.store.fixture import KEYS, StoreFixture

SCRIPTS = Path(lua.__file__).parent / "scripts"
PRELUDE = SCRIPTS / "prelude"
VERBS = sorted(path.stem for path in SCRIPTS.glob("*.lua"))
FILES = sorted([*SCRIPTS.glob("*.lua"), *PRELUDE.glob("*.lua")])
RECORDS_LUA = (PRELUDE / "records.lua").read_text()
_ROW = re.compile(r"^([\w:<>]+) +(string|hash|set|zset|list|stream)  ", re.MULTILINE)
TABLE = dict(_ROW.findall(keys.__doc__ or ""))


def constants(part: str) -> dict[str, float]:
    """The numbers that the head in front of a script or of a part of it gives names to."""
    return {
        name: float(value)
        for name, value in re.findall(r"^local (\w+) = ([\d.]+)$", protocol.constants(part), re.MULTILINE)
    }


def test_lua_numbers_rows_and_states_as_python_does() -> None:
    values = constants("records") | constants("keys") | constants("wakes")
    assert (values.pop("BLOCK"), values.pop("WIDTH")) == (keys.BLOCK, codec.WIDTH)
    assert values.pop("LONGEST_SLEEP_MS") == protocol.LONGEST_SLEEP_S * 1000
    assert values.pop("HELD_SCORE") == protocol.HELD_SCORE == 253_402_300_799_000, "9999-12-31 23:59:59 UTC"
    values.pop("CLEAN_UP_MS")
    assert values.pop("FINAL") == values["DELIVERED"]
    assert values == {state.name: state for state in State if state.name in values}
    assert {"VOID", "WAITING", "LEASED", "SENDING", "ACCEPTED", "DELIVERED", "CANCELLED", "EXPIRED"} == set(values)
    assert min(state for state in State if state.final) is State.DELIVERED


def test_lua_watches_the_same_sets_as_python() -> None:
    (table,) = re.findall(r"^local WATCH = \{(.*?)\n\}$", RECORDS_LUA, re.MULTILINE | re.DOTALL)
    (unclear,) = re.findall(r"^local UNCLEAR = KEY\['(.*)'\]$", RECORDS_LUA, re.MULTILINE)
    places = dict(re.findall(r"\[(\w+)\] = KEY\['([^']+)'\]", table)) | {"UNCLEAR": unclear}
    assert {name: KEYS.prefix + key for name, key in places.items()} == {
        place.name: key for place, key in KEYS.watch.items()
    }


def test_lua_ends_batches_under_the_same_words_as_python() -> None:
    (table,) = re.findall(r"^local ENDING = \{(.*)\}$", RECORDS_LUA, re.MULTILINE)
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
        "LONGEST_WAIT_US",
    }
    names |= {"READ_BURST_US", "LEFT_OVER_US"}
    assert pace == {name: getattr(rate, name) for name in names} | {"MAX_AHEAD_US": allowance.MAX_AHEAD_US}
    text = (PRELUDE / "pacing.lua").read_text()
    fields = re.findall(r"'(\w+)'", re.findall(r"local PACE = \{(.*?)\}", text, re.DOTALL)[0])
    assert [*fields, "allowances"] == list(rate.RateState.__slots__)


def test_lua_counts_longer_times_in_the_buckets_of_the_core() -> None:
    text = protocol.constants("pacing")
    lengths, numbers = (
        dict(re.findall(r"(\w+) = (\d+)", re.findall(rf"^local {name} = \{{(.*)\}}$", text, re.MULTILINE)[0]))
        for name in ("BUCKET_US", "BUCKETS")
    )
    assert {name: (int(lengths[name]), int(numbers[name])) for name in lengths} == allowance.BUCKETS


def test_settle_reads_the_fields_of_a_change_that_python_gives() -> None:
    """All of them: here none is left out for saying nothing."""
    change = dispatch.StoredTransition(
        job=JobId("a", 0),
        old=Record(),
        new=Record(fax_id="F" * 31),
        rest_s=1,
        hold=dispatch.JobHold(category="busy", cause="why"),
        send=dispatch.SendReport(answered=True, failed=True, unclear=True),
        number_hash="n",
        spent=1,
        pages=1,
        costs={"EUR": 4_500},
        disproves=frozenset({"auth"}),
        call=dispatch.EndedCall(end=CallEnd.DELIVERED, number="+12025550100"),
        totals={"a": 1, "b": 2},
    )
    fields, text = dispatch._fields(change), (SCRIPTS / "settle.lua").read_text()
    head = set(
        re.findall(r"^--       (?=[a-z])([a-z_]+(?:, [a-z_]+)*) ", re.sub(r"row\n", "row \n", text), re.MULTILINE)
    )
    assert {name for names in head for name in names.split(", ")} >= set(fields)
    assert set(re.findall(r"change\.(\w+)", text)) == set(fields) - {"attempt"} | {"attempt"}
    assert isinstance(fields["send"], dict)
    assert set(re.findall(r"send\.(\w+)", text)) - {"lua"} == set(fields["send"])


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
    assert "struct.unpack('<BBHI4I4', record)" in RECORDS_LUA
    assert struct.unpack_from("<BBHII", raw) == (State.SENDING, 3, 2, 515, 70_000)
    assert raw[12:14] == bytes((codec.category_code("busy"), codec.type_code("LINE_ERROR")))
    assert [
        codec.encode_record(Record(doubled=doubled, unclear=unclear, force_fine=fine))[20]
        for doubled, unclear, fine in ((True, False, False), (False, True, False), (False, False, True))
    ] == [1, 2, 4]


@pytest.mark.anyio
async def test_python_counts_a_record_in_the_field_that_lua_counts_it_in(db: StoreFixture) -> None:
    raw = codec.encode_record(Record(failure=FailureCode(category="busy", error_type="LINE_ERROR")))
    parts = [
        f"{protocol.constants(name)}{(PRELUDE / name).with_suffix('.lua').read_text()}" for name in lua.SHARED[:-1]
    ]
    script = "\n".join([*parts, "return count_field(count_of(ARGV[1]))"])
    assert (await db.client.eval(script, 1, KEYS.epoch, raw)).decode() == audit.count_field(raw)


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
        *(
            "APPEND",
            "BITFIELD",
            "BITPOS",
            "DEL",
            "EXISTS",
            "GET",
            "GETBIT",
            "GETRANGE",
            "HDEL",
            "HEXISTS",
            "HGET",
            "HGETALL",
        ),
        *(
            "HINCRBY",
            "INCRBY",
            "HLEN",
            "HMGET",
            "HSET",
            "HSETNX",
            "HVALS",
            "INCR",
            "LINDEX",
            "LPUSH",
            "LTRIM",
            "PEXPIRE",
            "RENAME",
            "RPUSH",
            "SADD",
        ),
        *(
            "SCARD",
            "SISMEMBER",
            "SET",
            "SETBIT",
            "SETRANGE",
            "SMEMBERS",
            "SMISMEMBER",
            "SRANDMEMBER",
            "SREM",
            "STRLEN",
            "TIME",
            "UNLINK",
        ),
        *("XADD", "XGROUP", "XINFO", "XLEN", "XREVRANGE", "ZADD", "ZCARD", "ZCOUNT", "ZRANGE"),
        *("ZRANGEBYSCORE", "ZREM", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE", "ZSCORE"),
    }
    used = set(re.findall(r"redis\.call\('(\w+)'", lua.source(verb)))
    assert used <= known


#: lives of keys that do not end with a time for cleaning up, and why nothing is decided by their end
_LIVES = {
    # a repeat that comes later finds that the lease or the jobs are not its any more
    "begin": ["REPEATABLE_MS"],
}


@pytest.mark.parametrize("script", FILES, ids=lambda path: path.stem)
def test_the_end_of_a_keys_life_decides_nothing(script: Path) -> None:
    """Times that decide are stored and compared with the server's; a key lives on for a while after its time."""
    text = script.read_text()
    lives = re.findall(r"'PX', ([^\n]*)\)$", text, re.MULTILINE) + re.findall(
        r"'PEXPIRE', key, (.*)\)$", text, re.MULTILINE
    )
    assert len(lives) == len(re.findall(r"'(?:PX|EX|PXAT|EXAT|P?EXPIRE(?:AT)?)'", text))
    assert [life for life in lives if not life.endswith("+ CLEAN_UP_MS)")] == _LIVES.get(script.stem, [])
    assert not re.search(r"'P?(TTL|EXPIRETIME)'", text)


def test_python_gives_no_key_a_life_that_anything_depends_on() -> None:
    """Idempotency keys are promised for days at least; what a preview has counted can be counted again; the last is the
    trace of a check that Redis writes."""
    gives = re.compile(r"\b(px|ex|pxat|exat)=|\.p?expire(at)?\(|setex\(")
    paths = Path(lua.__file__).parent.glob("*.py")
    assert {path.name for path in paths if gives.search(path.read_text())} == {
        "idempotency.py",
        "previews.py",
        "store.py",
    }


def test_every_key_that_lua_names_is_in_the_table() -> None:
    """A name ends with the quote or goes on with an id."""
    text = "".join(path.read_text() for path in FILES)
    named = set(re.findall(r"KEY\.(\w+)", text)) | set(re.findall(r"KEY\['([\w:]+)'\]", text))
    built = set(re.findall(r"PREFIX \.\. '([\w:]+)'", text))
    assert named <= set(TABLE)
    assert built <= {re.sub(r"<.*", "", name) for name in TABLE if "<" in name}
    parts = set(re.findall(r"part_key\(\w+, '(\w+)'", text)) | {"block", "records", "history", "long_ids"}
    assert parts <= {name.split(":")[2] for name in TABLE if name.startswith("batch:<id>:")}


def test_every_key_that_python_names_is_in_the_table() -> None:
    fixed = {value for name, value in vars(KEYS).items() if isinstance(value, str) and name != "prefix"}
    built = {
        KEYS.active("<class>"),
        KEYS.lease("<id>"),
        KEYS.begun("<call>"),
        KEYS.number("<hash>"),
        KEYS.failure_run("<scope>"),
        KEYS.reservation("<use>", "<hash>"),
        KEYS.document("<sha256>"),
        KEYS.chunks("<sha256>"),
        KEYS.batch("<id>"),
        KEYS.queue("<name>"),
    }
    assert {key.removeprefix(KEYS.prefix) for key in fixed | built | set(KEYS.watch.values())} <= set(TABLE)


def test_the_table_of_keys_names_a_type_for_each() -> None:
    rows = [line for line in (keys.__doc__ or "").splitlines() if re.match(r"^[a-z_]+[\w:<>]* {2,}", line)]
    assert {line.split()[0] for line in rows} - {"name"} == set(TABLE)
    assert {KEYS.active(priority) for priority in Priority} == {
        f"{KEYS.prefix}active:{name}" for name in ("urgent", "bulk")
    }


def test_every_key_is_spelled_in_one_place() -> None:
    """Its prefix comes from ``keys.py``, and in a script from the key that it was called with."""
    assert [path.name for path in FILES if "'bf:" in path.read_text()] == []
    root = Path(lua.__file__).parents[2]
    files = [
        path for folder in ("dispatcher", "workers", "tests", "benchmarks") for path in (root / folder).rglob("*.py")
    ]
    spelled = {path.name for path in files if re.search(r"""["']bf:""", path.read_text())}
    assert spelled == {"keys.py", "test_layout.py", "test_scripts.py"}


@pytest.mark.parametrize("account", ["", "a" * 33, "Default", "a_b", "a}b", "a:b"])
def test_a_name_that_no_account_may_have_is_refused(account: str) -> None:
    with pytest.raises(ValueError, match="is no name of an account"):
        Keys(account)


def test_every_key_of_an_account_has_its_hash_tag() -> None:
    assert Keys("a-1").batch("b") == "bf:{a-1}:batch:b"


#: what Lua allows a function, and what a script may use of it: the next change must not be the one too many
_LOCALS, _USED_LOCALS = 200, 150
_NAMES_OF_OUTSIDE, _USED_NAMES = 60, 55
_RUN = "local function run()\n"


@pytest.mark.anyio
async def test_a_script_has_room_for_more_names(db: StoreFixture) -> None:
    """It still compiles with as many more local names as are kept free, and names as many more of its parts."""
    names = [f"spare_{number}" for number in range(_LOCALS - _USED_LOCALS)]
    more = f"local {', '.join(names)}\n"
    used = f"{_RUN}local _ = {{{', '.join(names[: _NAMES_OF_OUTSIDE - _USED_NAMES])}}}\n"
    for verb in VERBS:
        text = lua.source(verb)
        with explained(
            f"{verb}.lua and its parts have more than {_USED_LOCALS} local names outside of functions. "
            "Put what belongs together into a table, or join parts of which it needs a few names each"
        ):
            await db.client.script_load(more + text)
        with explained(
            f"{verb}.lua names more than {_USED_NAMES} local names of its parts. Move what it does with "
            "some of them into a function of a part"
        ):
            await db.client.script_load(more + text.replace(_RUN, used))


@contextmanager
def explained(message: str) -> Iterator[None]:
    try:
        yield
    except redis.ResponseError as error:
        pytest.fail(f"{message}: {error}")


def test_a_variable_of_a_part_is_used_in_that_part_alone() -> None:
    """The rest of a script has what the variables of a part were when the script began (``lua.py``)."""
    texts = {path: re.sub(r"--.*", "", path.read_text()) for path in FILES}
    for part in PRELUDE.glob("*.lua"):
        names = re.findall(r"^local (?!function )(\w+(?:, \w+)*)", texts[part], re.MULTILINE)
        for name in re.findall(r"\w+", " ".join(names)):
            changes = len(re.findall(rf"(?<![.\w]){name}(?:, \w+)* = (?!function)", texts[part])) > 1
            users = [path.stem for path, text in texts.items() if path != part and re.search(rf"\b{name}\b", text)]
            assert not (changes and users), f"{name} of {part.stem} changes: let {users} ask a function of that part"


@pytest.mark.anyio
@pytest.mark.parametrize("verb", VERBS)
async def test_a_script_without_a_key_of_an_account_says_so(db: StoreFixture, verb: str) -> None:
    for key_names in ([], ["bf:epoch"]):
        with pytest.raises(redis.ResponseError, match="the first key of a script has to be a key of an account"):
            await db.client.eval(lua.source(verb), len(key_names), *key_names, "{}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_script_states_no_number_that_python_knows(path: Path) -> None:
    """Large numbers come from Python; what is smaller is a position, a share or a step of this script alone."""
    text = re.sub(r"--.*", "", path.read_text())
    assert [number for number in re.findall(r"(?<![\w.])\d+", text) if int(number) >= 1000] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_lines_of_a_script_are_no_longer_than_those_of_python(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if len(line) > 120] == []


@pytest.mark.anyio
async def test_times_in_microseconds_are_written_whole(db: StoreFixture) -> None:
    """Lua's own way to write a number keeps 14 digits, which loses microseconds."""
    await db.set_clock(1_795_000_000_123_457)
    permit = await db.limiter.take_permit()
    assert permit.granted
    pace = await db.limiter.state()
    assert pace.tat_us == 1_795_000_000_123_457 - CATCH_UP_US + interval_us(pace.rate)


def test_the_page_about_data_has_every_key_with_its_lifetime() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| (\w+) \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    assert [(name, kind) for name, kind, _ in rows] == list(TABLE.items())
    assert all(life.strip() for _, _, life in rows)
