"""NDJSON and JSON arrays are read as they arrive; a fault is refused or named."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import RefusedRow
from dispatcher.recipients.errors import BrokenJson
from dispatcher.recipients.json_decoders import JsonArrayDecoder, NdjsonDecoder
from dispatcher.recipients.lines import ROW_CHARACTERS
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import Row

Decoder = Callable[[], NdjsonDecoder | JsonArrayDecoder]


def decode(make: Decoder, text: str, size: int = 10) -> list[Row | RefusedRow]:
    decoder = make()
    rows: list[Row | RefusedRow] = []
    for start in range(0, len(text), size):
        rows += decoder.feed(text[start : start + size])
    return rows + decoder.feed("", final=True)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_ndjson_rows_are_objects_or_texts_with_their_line(size: int) -> None:
    text = (
        '{"number": "+1", "country": "US", "id": 7, "name": "A"}\n\n"+2"\n{"fax": 12025550143, "vip": true, "x": null}'
    )
    assert decode(NdjsonDecoder, text, size) == [
        Row(1, "+1", "US", "7", {"name": "A"}),
        Row(3, "+2", "", "", {}),
        Row(4, "12025550143", "", "", {"vip": "true", "x": ""}),
    ]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_array_rows_are_numbered_by_item(size: int) -> None:
    text = ' [ {"number": "+1", "fields": {"name": "A", "n": 2}} ,\n"+2", 12025550143 ] \n'
    assert decode(JsonArrayDecoder, text, size)[:2] == [
        Row(1, "+1", "", "", {"name": "A", "n": "2"}),
        Row(2, "+2", "", "", {}),
    ]
    assert [row.line for row in decode(JsonArrayDecoder, text, size)] == [1, 2, 3]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_a_number_that_is_cut_by_a_chunk_stays_whole(size: int) -> None:
    rows = decode(JsonArrayDecoder, '[{"fax":12025550143},{"fax":4.42e11}]', size)
    assert [row.number for row in rows] == ["12025550143", "4.42e11"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"number": "+1"', RefusalReason.BROKEN_ROW),
        ("+12025550143", RefusalReason.BROKEN_ROW),
        ('{"number": "+1"} {"number": "+2"}', RefusalReason.BROKEN_ROW),
        ("null", RefusalReason.BROKEN_ROW),
        ('["+1"]', RefusalReason.BROKEN_ROW),
        ('{"number": ["+1"]}', RefusalReason.BROKEN_ROW),
        ('{"number": "+1", "fields": {"a": {}}}', RefusalReason.BROKEN_ROW),
        ('{"number": "+1", "name": "\\ud800"}', RefusalReason.BROKEN_ROW),
        ("[" * 60_000, RefusalReason.BROKEN_ROW),
        ('{"name": "A"}', RefusalReason.EMPTY),
        ("{}", RefusalReason.EMPTY),
        ('{"number": "' + "1" * ROW_CHARACTERS + '"}', RefusalReason.TOO_LONG),
    ],
)
def test_a_line_that_is_no_row_is_refused_and_the_next_one_read(line: str, reason: RefusalReason) -> None:
    rows = decode(NdjsonDecoder, f'{line}\n"+2"\n', 5000)
    assert isinstance(rows[0], RefusedRow)
    assert (rows[0].line, rows[0].number, rows[0].reason) == (1, line[:40], reason)
    assert rows[1] == Row(2, "+2", "", "", {})


@pytest.mark.parametrize(
    ("text", "what", "item"),
    [
        ('{"number": "+1"}', "does not begin", None),
        ('["+1", "+2"', "ends before", 2),
        ('["+1", ', "ends before", 1),
        ("[", "ends before", None),
        ('["+1" "+2"]', "comma is missing", 1),
        ('["+1", "+2"] "+3"', "more text", 2),
        ('["+1", +2]', "not valid JSON", 2),
        ('["+1", ]', "not valid JSON", 2),
        ('["+1", {"number": ' + "[" * 60_000, "not valid JSON", 2),
        ('["+1", "' + "x" * 300_000, "not valid JSON", 2),
    ],
)
@pytest.mark.parametrize("size", [3000, 10**6])
def test_a_broken_array_is_an_error_that_names_the_item(text: str, what: str, item: int | None, size: int) -> None:
    with pytest.raises(BrokenJson, match=what) as caught:
        decode(JsonArrayDecoder, text, size)
    assert caught.value.line == item


def test_an_item_that_is_too_long_is_refused() -> None:
    rows = decode(JsonArrayDecoder, json.dumps(["+1", "2" * 70_000, "+3"]), 16384)
    assert [row.line for row in rows] == [1, 2, 3]
    assert isinstance(rows[1], RefusedRow)
    assert rows[1].reason == RefusalReason.TOO_LONG


@pytest.mark.parametrize(("outer", "nested", "accepted"), [(200, 199, True), (200, 200, False), (0, 400, False)])
def test_the_keys_of_a_row_and_of_its_fields_are_bounded_together(outer: int, nested: int, accepted: bool) -> None:
    row = {"fax": "+1", **{f"a{n}": "" for n in range(outer)}, "fields": {f"b{n}": "" for n in range(nested)}}
    (read,) = decode(NdjsonDecoder, json.dumps(row), 5000)
    assert isinstance(read, Row) is accepted


def test_an_empty_array_has_no_rows() -> None:
    assert decode(JsonArrayDecoder, "[]") == []
    assert decode(JsonArrayDecoder, " [ ] ") == []
    assert decode(JsonArrayDecoder, "") == []


def test_half_a_surrogate_pair_is_refused_and_a_whole_one_read() -> None:
    good, bad = decode(NdjsonDecoder, '{"fax": "+1", "a": "\\ud83d\\ude00"}\n"\\ud83d"\n')
    assert good == Row(1, "+1", "", "", {"a": "😀"})
    assert isinstance(bad, RefusedRow)


def test_a_row_of_any_depth_is_refused_and_the_next_one_read() -> None:
    """Python's decoder takes somewhat deeper values than its encoder."""
    for depth in range(900, 1010):
        deep = '{"fax": "\\u00e4", "x": ' + "[" * depth + "]" * depth + "}"
        bad, good = decode(NdjsonDecoder, f'{deep}\n"+1"\n', 5000)
        assert isinstance(bad, RefusedRow)
        assert good == Row(2, "+1", "", "", {})


ROWS = st.lists(
    st.dictionaries(st.sampled_from(["number", "fax", "country", "id", "name", "x y"]), st.text(max_size=6), max_size=5)
)


@given(ROWS, st.integers(1, 50), st.booleans())
def test_array_and_ndjson_give_the_same_rows_from_chunks_of_any_size(
    values: list[dict[str, str]], size: int, escaped: bool
) -> None:
    array = decode(JsonArrayDecoder, json.dumps(values, ensure_ascii=escaped), size)
    lines = decode(NdjsonDecoder, "\n".join(json.dumps(value, ensure_ascii=escaped) for value in values), size)
    assert array == lines
    assert len(array) == len(values)


@pytest.mark.parametrize("nested", [False, True])
def test_an_object_with_too_many_keys_is_refused(nested: bool) -> None:
    keys = {f"c{index}": "" for index in range(401)}
    value = {"fax": "+12025550143"} | ({"fields": keys} if nested else keys)
    (row,) = NdjsonDecoder().feed(json.dumps(value), final=True)
    assert isinstance(row, RefusedRow)
    assert row.reason == RefusalReason.BROKEN_ROW
    assert "a list may have 400" in row.detail
