"""What a filter finds in stored records without decoding them is what it finds in the records."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import Record, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.store import codec
from dispatcher.store.batches import _matching_jobs, _records, _StoredBlock
from tests.core.test_job_filter import filters, records


@given(
    filters,
    st.lists(records, max_size=12),
    st.sampled_from([None, State.CANCELLED, State.EXPIRED]),
    st.integers(0, 12),
    st.booleans(),
)
def test_the_same_jobs_match(
    asked: JobFilter, jobs: list[Record], ended: State | None, cursor: int, damaged: bool
) -> None:
    raw = b"".join(codec.encode_record(replace(record, fax_id="F1")) for record in jobs)
    if damaged and raw:
        raw = b"\x63" + raw[1:]
    block = _StoredBlock(raw, 0, ended, cursor, {})
    expected = [
        (row, record.state)
        for row, record in enumerate(_records(block))
        if record.state is not State.UNREADABLE and asked.matches_record(row, record)
    ]
    assert _matching_jobs(block, asked) == expected
