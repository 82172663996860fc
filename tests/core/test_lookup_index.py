"""Pieces of the index of all jobs: every job is found that is in them, and damage takes nothing else along."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import JobId
from dispatcher.core.lookup_index import ROW_BYTES, Needle, find, pack_rows
from dispatcher.core.repeats import pack_hashes

KEY = b"key"
ROWS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(("", "a", "b", "Straße 1"))), max_size=40)


def number(line: int) -> str:
    return f"+1202555{line:04d}"


def jobs(piece: bytes, needles: list[Needle], end: int = 0) -> list[JobId]:
    return [job for _, job in find(piece, needles, end)]


def entry(batch: str, first: int, rows: list[tuple[int, str]]) -> bytes:
    """An entry as the script ``add_chunk`` writes it."""
    packed = pack_rows(pack_hashes((number(line) for line, _ in rows), KEY), [reference for _, reference in rows])
    assert len(packed) == ROW_BYTES * len(rows)
    return struct.pack("<HI", len(rows), first) + batch.encode() + b"\0" + packed


@given(
    chunks=st.lists(ROWS, max_size=4), line=st.integers(-1, 30), reference=st.sampled_from(("", "a", "b", "Straße 1"))
)
def test_all_jobs_of_a_number_and_a_reference_are_found_newest_first(
    chunks: list[list[tuple[int, str]]], line: int, reference: str
) -> None:
    needle = Needle.of(number(line) if line >= 0 else "", reference, KEY)
    piece = b"".join(entry(f"b{place}", 1000 * place, rows) for place, rows in enumerate(chunks))
    expected = [
        JobId(f"b{place}", 1000 * place + position)
        for place, rows in enumerate(chunks)
        for position, row in enumerate(rows)
        if line in (-1, row[0]) and reference in ("", row[1])
    ]
    if line >= 0 or reference:
        assert jobs(piece, [needle]) == expected[::-1]


def test_a_number_that_may_be_two_is_found_as_either_and_once() -> None:
    piece = entry("b", 0, [(1, ""), (2, ""), (1, "")])
    needles = [Needle.of(number(line), "", KEY) for line in (1, 2, 1)]
    assert jobs(piece, needles) == [JobId("b", 2), JobId("b", 1), JobId("b", 0)]


def test_another_key_finds_nothing() -> None:
    assert find(entry("b", 0, [(1, "a")]), [Needle.of(number(1), "", b"other")]) == []


@given(cut=st.integers(0, 200), junk=st.binary(max_size=40))
def test_damage_hides_what_is_behind_it_and_nothing_else(cut: int, junk: bytes) -> None:
    first = entry("b1", 0, [(1, "a")])
    piece = (first + entry("b2", 0, [(1, "a")] * 5))[: len(first) + cut] + junk
    assert JobId("b1", 0) in jobs(piece, [Needle.of(number(1), "a", KEY)])


@given(chunks=st.lists(ROWS, max_size=4), gone=st.integers(0, 3), data=st.data())
def test_positions_stay_when_rows_vanish_and_others_are_added(
    chunks: list[list[tuple[int, str]]], gone: int, data: st.DataObject
) -> None:
    needle = Needle.of("", "a", KEY)
    entries = [entry(f"b{place}", 0, rows) for place, rows in enumerate(chunks)]
    before = find(b"".join(entries), [needle])
    zeroed = [
        piece[: -ROW_BYTES * len(rows) or None] + b"\0" * ROW_BYTES * len(rows) if place == gone else piece
        for place, (piece, rows) in enumerate(zip(entries, chunks, strict=True))
    ]
    later = b"".join(zeroed) + entry("later", 0, [(1, "a")])
    end = data.draw(st.sampled_from([position for position, _ in before] or [1]))
    left = [(position, job) for position, job in before if position < end and job.batch != f"b{gone}"]
    assert find(later, [needle], end) == left
