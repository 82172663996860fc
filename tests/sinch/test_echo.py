"""The provider repeats the merge fields of a fax in lists and callbacks. Those of every accepted row can be read."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.job import Recipient
from dispatcher.core.options import FaxOptions
from dispatcher.recipients.columns.columns import MAX_COLUMNS
from dispatcher.recipients.errors import RecipientListError
from dispatcher.recipients.lines import ROW_CHARACTERS
from dispatcher.recipients.read_rows import RowReader
from dispatcher.service.fax_builder import options_for
from dispatcher.sinch import coerce
from dispatcher.sinch.callbacks import CallbackReader
from dispatcher.sinch.coerce import MAX_VALUES, has_too_many_values
from dispatcher.sinch.errors import TooLargeError
from dispatcher.sinch.order import FaxOrder, json_body
from dispatcher.sinch.wire import AttemptLabels, FaxQuery, read_page

LABELS = AttemptLabels(job="b1.7", attempt=2)
#: as long as the fields of a batch may be together
SHARED = {f"{number:02}": "\N{PILE OF POO}" * 98 for number in range(100)}
CALLBACK_TYPES = ("application/json", "multipart/form-data; boundary=frontier")
NUMBER = "+12025550123"


def echo(recipient: Recipient) -> dict[str, Any]:
    """Return the fax as the provider shows it: with everything of the order."""
    options = options_for(recipient, FaxOptions(cover_page_id="01C", cover_page_data=SHARED), force_fine=False)
    order = FaxOrder(to=(recipient.number,), options=options, labels=LABELS.labels())
    body = b"".join(bytes(chunk) for chunk in json_body(order).chunks())
    return {**json.loads(body), "id": "01FAX", "status": "COMPLETED", "createTime": "2027-01-15T08:00:00Z"}


def assert_read(fax: dict[str, Any], *, escaped: bool) -> None:
    """Read the fax from a list and from callbacks of both types."""
    page = read_page(json.dumps({"faxes": [fax]}, ensure_ascii=escaped).encode(), FaxQuery(), 1)
    assert [(update.fax_id, update.job, update.attempt) for update in page.faxes] == [("01FAX", "b1.7", 2)]
    for content_type in CALLBACK_TYPES:
        reader = CallbackReader(content_type)
        body = callback(fax, content_type, escaped=escaped)
        for start in range(0, len(body), 65_536):
            reader.feed(body[start : start + 65_536])
        assert reader.finish().update == page.faxes[0]


def callback(fax: dict[str, Any], content_type: str, *, escaped: bool) -> bytes:
    if content_type == "application/json":
        return json.dumps({"event": "FAX_COMPLETED", "fax": fax}, ensure_ascii=escaped).encode()
    parts = {"event": "FAX_COMPLETED", "fax": json.dumps(fax, ensure_ascii=escaped)}
    form = [f'--frontier\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{parts[name]}\r\n' for name in parts]
    return ("".join(form) + "--frontier--\r\n").encode()


def accepted(row: dict[str, Any]) -> Recipient | None:
    """Return the recipient of a row of a list, or None if the row or the list is refused."""
    try:
        read = RowReader("application/x-ndjson").read(json.dumps(row, ensure_ascii=False).encode(), final=True)
    except RecipientListError:
        return None
    return read.accepted[0] if read.accepted else None


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["," * 900, '"' * 900, "\\" * 900, "\N{PILE OF POO}" * 9_000, "[{" * 500, "\0\x1b\u2028", "İ" * 200]
)
FIELDS = st.dictionaries(TEXTS.map(lambda name: name[:200]), TEXTS, max_size=12)


@settings(max_examples=60, deadline=None)
@given(outer=FIELDS, nested=FIELDS, more=st.sampled_from([0, 380, 395, 400]), escaped=st.booleans())
def test_the_fax_of_every_accepted_row_can_be_read(
    outer: dict[str, str], nested: dict[str, str], more: int, escaped: bool
) -> None:
    many = {f"{number}": "," for number in range(more)}
    recipient = accepted({**outer, "fax": NUMBER, "fields": {**nested, **many}})
    if recipient is not None:
        assert len(recipient.fields) < MAX_COLUMNS
        assert_read(echo(recipient), escaped=escaped)


def largest_row() -> Recipient:
    names = [f"{number:03}" + "\N{PILE OF POO}" * 145 for number in range(MAX_COLUMNS - 1)]
    recipient = accepted({"fax": NUMBER, "fields": dict.fromkeys(names, "")})
    assert recipient is not None
    # in CSV, the names are in a row of their own
    return Recipient(line=2, number=NUMBER, fields={**dict.fromkeys(names, ""), names[0]: "\N{PILE OF POO}" * 65_000})


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize(
    "recipient",
    [
        largest_row(),
        # a request for one fax: 1 MB
        Recipient(line=1, number=NUMBER, fields={f"{n:03}": "é" * 5_000 for n in range(98)}),
    ],
    ids=["row", "request"],
)
def test_the_largest_merge_fields_can_be_read(recipient: Recipient, escaped: bool) -> None:
    assert sum(map(len, recipient.fields)) <= ROW_CHARACTERS
    assert_read(echo(recipient), escaped=escaped)


def test_a_page_of_faxes_with_very_many_fields_is_too_large_and_a_tenth_of_it_is_not() -> None:
    fax = echo(Recipient(line=1, number=NUMBER, fields={f"{n:03}": "," for n in range(MAX_COLUMNS)}))
    with pytest.raises(TooLargeError):
        read_page(json.dumps({"faxes": [fax] * 1_000}).encode(), FaxQuery(), 1)
    assert len(read_page(json.dumps({"faxes": [fax] * 100}).encode(), FaxQuery(), 1).faxes) == 100


@pytest.mark.parametrize(("size", "smaller"), [(1_000, 100), (100, 10), (10, 1), (7, 1), (1, None)])
def test_pages_that_are_too_large_are_requested_in_a_tenth_of_the_size(size: int, smaller: int | None) -> None:
    query = FaxQuery(to="+1202", created_from_ms=1, page_size=size).in_smaller_pages()
    assert query == (smaller and FaxQuery(to="+1202", created_from_ms=1, page_size=smaller))


JSON = st.recursive(
    st.none() | st.integers() | st.text('ab,[{"\\', max_size=9),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text('a,[{"\\', max_size=5), inner, max_size=5),
    max_leaves=30,
)


def count(value: object) -> int:
    """Return the number of brackets and commas outside of strings."""
    if not isinstance(value, list | dict):
        return 0
    return max(1, len(value)) + sum(map(count, value.values() if isinstance(value, dict) else value))


@given(JSON, st.booleans())
def test_only_values_count_and_not_what_texts_contain(value: object, escaped: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coerce, "MAX_VALUES", 8)
        encoded = json.dumps(value, ensure_ascii=escaped)
        assert has_too_many_values(encoded) is has_too_many_values(encoded.encode()) is (count(value) > 8)
        # these characters have the byte of a quote
        odd = json.dumps(["\u2222", value], ensure_ascii=False).encode("utf-16-le")
        assert has_too_many_values(odd) or count(value) <= 7


@pytest.mark.parametrize("end", ["", "\\", '"', '\\"'])
@pytest.mark.parametrize("inside", ['\\"', "\\\\", ",", '","', "\\"])
def test_a_text_without_an_end_is_searched_once(inside: str, end: str) -> None:
    """A search from each quote again would take hours."""
    body = '["' + inside * 1_500_000 + "," * MAX_VALUES + end
    assert has_too_many_values(body.encode()) in (True, False)
