"""Which batches a list shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.batch import BatchState, Control, Tally, batch_state
from dispatcher.core.batch_filter import BatchFilter, BatchLabels
from dispatcher.core.job import State

METADATA = {"customer": "42", "team": "billing"}


@pytest.mark.parametrize(
    ("batch_filter", "matches"),
    [
        (BatchFilter(), True),
        (BatchFilter(name="march"), True),
        (BatchFilter(name="April"), False),
        (BatchFilter(metadata=frozenset({("customer", "42")})), True),
        (BatchFilter(metadata=frozenset({("customer", "4")})), False),
        (BatchFilter(metadata=frozenset({("customer", "42"), ("customer", "43")})), False),
        (BatchFilter(states=frozenset({BatchState.HELD, BatchState.RUNNING})), True),
        (BatchFilter(states=frozenset({BatchState.FINISHED})), False),
    ],
)
def test_a_batch_has_to_match_everything_that_is_named(batch_filter: BatchFilter, matches: bool) -> None:
    assert batch_filter.matches(BatchState.RUNNING, "Letter of March", METADATA) is matches


@given(
    st.sampled_from([c for c in Control if c is not Control.DELETING]),
    st.integers(0, 3),
    st.integers(0, 3),
    st.booleans(),
)
def test_labels_never_rule_out_the_state_of_a_batch(control: Control, live: int, final: int, held: bool) -> None:
    tally = Tally(by_state={State.WAITING: live, State.DELIVERED: final}, by_category={})
    state = batch_state(control, tally, held=held)
    labels = BatchLabels(control=control, ended=live == 0, name="a", metadata={})
    assert state in labels.states
    assert BatchFilter(states=frozenset({state})).may_match(labels)
