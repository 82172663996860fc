"""News of a job's faxes in every order and multiplicity, news of attempts that were written off included."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import FaxFate, State
from dispatcher.core.outcome import FaxUpdate, NotSent, RateLimited, SendOutcome, Unclear
from dispatcher.core.policy.policy import Policy
from dispatcher.core.prices import Arrived, arrived
from dispatcher.core.settlement.known_faxes import deciding_entry, known_faxes
from tests.core.settlement.job_simulation import (
    BAD_NUMBER,
    BUSY,
    DELIVERED,
    PROTOCOL,
    UNCONFIRMED,
    End,
    JobSimulation,
    truly_doubled,
)

RETRIED = [DELIVERED, BUSY, PROTOCOL]
ENDS = [*RETRIED, BAD_NUMBER, UNCONFIRMED]
LASTS_MS = st.sampled_from([0, 1_000, 200_000, 400_000, 900_000, 5_000_000])
UNENDED_MS = round(Policy().unended_s * 1000)
PASSES_MS = st.sampled_from([10, 5_000, 400_000, UNENDED_MS])
UNCLEAR: list[SendOutcome] = [Unclear(reason="reset"), Unclear(reason="gateway", status=502)]
NOT_TAKEN: list[SendOutcome] = [*UNCLEAR, RateLimited(), NotSent(reason="refused")]

Plan = list[tuple[End | None, int]]


def attempts(ends: list[End]) -> st.SearchStrategy[Plan]:
    """How each attempt's fax ends and how long that takes; None: the request never reached the provider."""
    return st.lists(st.tuples(st.none() | st.sampled_from(ends), LASTS_MS), min_size=1, max_size=3)


def written_off(plan: Plan) -> JobSimulation:
    """All attempts but the last have been written off, the last is being sent."""
    simulation = JobSimulation()
    for end, lasts_ms in plan[:-1]:
        simulation.post(end, lasts_ms)
        simulation.write_off()
    simulation.post(*plan[-1])
    return simulation


def all_that_can_be_said(simulation: JobSimulation, end: End | None) -> list[Callable[[JobSimulation], None]]:
    """The answer to the last POST as it was given or as it was lost, early and late news of every fax."""
    last = simulation.job.record.attempt
    said: list[Callable[[JobSimulation], None]] = []
    for fax in simulation.faxes:
        said += [
            partial(JobSimulation.tell, fax_update=fax.fax_update(now_ms))
            for now_ms in (fax.created_ms - 1, fax.ends_ms)
        ]
    if end is not None:
        said.append(partial(JobSimulation.answer, attempt=last, outcome=None))
    said.append(partial(JobSimulation.answer, attempt=last, outcome=Unclear(reason="reset")))
    return said


def what_counts(simulation: JobSimulation) -> tuple[object, ...]:
    """All of the end but times and wording."""
    record, history = simulation.job.record, simulation.job.history
    fates = {fax_id: fax.fate for fax_id, fax in known_faxes(record, history).items()}
    calls = Counter(entry.failure.category for entry in history if entry.fate is FaxFate.FAILED)
    return record.state, record.doubled, record.counters.dials, fates, calls


@given(attempts(RETRIED), st.data())
def test_every_order_and_multiplicity_ends_in_the_same_state(plan: Plan, data: st.DataObject) -> None:
    """And that state is what the provider did. Failures are of the kind, and as few, that the job is tried again."""
    ends = []
    for _ in range(2):
        simulation = written_off(plan)
        said = all_that_can_be_said(simulation, plan[-1][0])
        for tell in data.draw(st.lists(st.sampled_from(said), max_size=12)) + data.draw(st.permutations(said)):
            tell(simulation)
        simulation.run_out()
        ends.append(what_counts(simulation))
    assert ends[0] == ends[1]
    fates = {fax.end.fate for fax in simulation.faxes}
    assert ends[0][0] is (State.DELIVERED if FaxFate.DELIVERED in fates else State.WAITING)
    assert ends[0][1] is truly_doubled(simulation.faxes)
    assert ends[0][3] == {fax.id: fax.end.fate for fax in simulation.faxes}


@st.composite
def lives(draw: st.DrawFn) -> JobSimulation:
    """Anything that can happen to a job, in any order that causes allow, with repeats and races."""
    simulation = JobSimulation()
    posted: list[tuple[int, bool]] = []
    for _ in range(draw(st.integers(1, 25))):
        _happen(draw, simulation, posted)
        _check(simulation)
    return simulation


def _happen(draw: st.DrawFn, simulation: JobSimulation, posted: list[tuple[int, bool]]) -> None:
    """One event: those that need something wait until it is there."""
    state = simulation.job.record.state
    events: list[Callable[[], object]] = [lambda: simulation.pass_time(draw(PASSES_MS))]
    if state is State.WAITING:
        events += [lambda: _post(draw, simulation, posted)] * 3
    if state is State.SENDING:
        events += [lambda: simulation.look(visible=draw(st.booleans())), simulation.write_off]
    if state is State.ACCEPTED:
        events.append(simulation.read_back)
    if posted:
        events.append(lambda: _answer(draw, simulation, posted))
    if simulation.faxes:
        events += [lambda: simulation.tell(_fresh(draw, simulation)), lambda: _race(draw, simulation)]
    if simulation.said:
        events.append(lambda: simulation.tell(draw(st.sampled_from(simulation.said))))
    draw(st.sampled_from(events))()


def _post(draw: st.DrawFn, simulation: JobSimulation, posted: list[tuple[int, bool]]) -> None:
    end = draw(st.none() | st.sampled_from(ENDS))
    posted.append((simulation.post(end, draw(LASTS_MS | st.just(10 * UNENDED_MS))), end is not None))


def _answer(draw: st.DrawFn, simulation: JobSimulation, posted: list[tuple[int, bool]]) -> None:
    """At any time, and for attempts that have been written off: a worker may have slept."""
    attempt, taken = draw(st.sampled_from(posted))
    is_answered = taken and draw(st.booleans())
    simulation.answer(attempt, None if is_answered else draw(st.sampled_from(UNCLEAR if taken else NOT_TAKEN)))


def _fresh(draw: st.DrawFn, simulation: JobSimulation) -> FaxUpdate:
    return draw(st.sampled_from(simulation.faxes)).fax_update(simulation.now_ms, priced=draw(st.booleans()))


def _race(draw: st.DrawFn, simulation: JobSimulation) -> None:
    """Two consumers decide from the same record."""
    first, second = _fresh(draw, simulation), _fresh(draw, simulation)
    simulation.tell(first, meanwhile=lambda: simulation.tell(second))


def _check(simulation: JobSimulation) -> None:
    record, history = simulation.job.record, simulation.job.history
    if simulation.job.ended is not None:
        assert record.state is simulation.job.ended[0], "final stays final"
    if record.state in (State.WAITING, State.LEASED):
        assert deciding_entry(history) is None, "a job whose fax may arrive is not sent again"
    assert known_faxes(record, history).keys() <= {fax.id for fax in simulation.faxes}


def _known_when_it_ended(simulation: JobSimulation) -> set[FaxFate]:
    """What had been heard of faxes when the job ended, or until now."""
    history = simulation.job.history[: simulation.job.ended[1]] if simulation.job.ended else simulation.job.history
    return {fax.fate for fax in known_faxes(simulation.job.record, history).values()}


@given(lives())
def test_the_end_of_any_life_agrees_with_the_provider(simulation: JobSimulation) -> None:
    """As far as the news had arrived when the job became final; what came after that is in the history."""
    simulation.run_out()
    _check(simulation)
    record = simulation.job.record
    known = known_faxes(record, simulation.job.history)
    assert {fax_id: fax.fate for fax_id, fax in known.items()} == {fax.id: fax.end.fate for fax in simulation.faxes}
    heard = _known_when_it_ended(simulation)
    assert (record.state is State.DELIVERED) == (FaxFate.DELIVERED in heard)
    if record.state is State.DELIVERED_UNCONFIRMED:
        assert heard & {FaxFate.PAGES_ARRIVED, FaxFate.UNENDED}
    if record.state is State.WAITING:
        assert heard <= {FaxFate.FAILED}


@given(lives())
def test_pages_and_costs_of_each_fax_count_once(simulation: JobSimulation) -> None:
    simulation.run_out()
    pages = sum(step.pages for step in simulation.job.steps)
    costs = Counter[str]()
    for step in simulation.job.steps:
        costs.update(step.costs)
    assert pages == sum(fax.end.pages_sent for fax in simulation.faxes)
    assert costs.total() == sum(fax.price for fax in simulation.faxes)
    assert arrived(simulation.job.record, simulation.job.history) == Arrived(pages, +costs)


@given(lives())
def test_a_job_is_doubled_exactly_if_the_provider_had_two_faxes_at_a_time(simulation: JobSimulation) -> None:
    simulation.run_out()
    assert simulation.job.record.doubled is truly_doubled(simulation.faxes)
