"""Renders the state machines of jobs and batches as the diagram and the tables in docs/state_machine.md."""

from dispatcher.core.batch import COMMAND_TRANSITIONS, Command, Control
from dispatcher.core.job import FINAL, State
from dispatcher.core.lifecycle import TRANSITIONS, Event


def job_diagram() -> str:
    """Return a mermaid diagram: one arrow for each pair of states, with the events that lead from one to the other."""
    arrows: dict[tuple[State, State], list[Event]] = {}
    for (state, event), target in TRANSITIONS.items():
        arrows.setdefault((state, target), []).append(event)
    lines = [f"    {state.label} --> {target.label}: {', '.join(events)}" for (state, target), events in arrows.items()]
    ends = [f"    {state.label} --> [*]" for state in FINAL]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {State.WAITING.label}", *lines, *ends])


#: what each event means, in a sentence
EVENTS = {
    Event.CLAIMED: "the scheduler leased the job to a worker",
    Event.GIVEN_BACK: "the job waits again without having spent an attempt: the lease ended or no fax was sent",
    Event.BEGUN: "the attempt was stored before the first byte of the request is sent",
    Event.UNCLEAR: "the POST may have reached the provider: bulkfax searches the provider's faxes for it",
    Event.ACCEPTED: "the provider accepted the fax",
    Event.NO_NEWS: "a search or a read-back brought nothing new",
    Event.DELIVERED: "the fax arrived",
    Event.RETRIED: "the fax failed or the request was refused; the job is tried again or waits for a hold to end",
    Event.VANISHED: "the fax was not found within the search period, or the provider no longer knows the accepted fax",
    Event.FAILED: "a failure ends the job",
    Event.UNCONFIRMED: "the job ends with a failure or without a result, and pages may have arrived",
    Event.CANCELLED: "the batch was cancelled",
    Event.EXPIRED: "the batch's deadline passed",
    Event.SUPPRESSED: "the number is on the do-not-fax list: nothing was sent or spent",
}


def event_table() -> str:
    """Return a table of the events: the states in which each can happen, and its meaning."""
    rows = [
        (event, [state.label for state, other in TRANSITIONS if other is event], text) for event, text in EVENTS.items()
    ]
    lines = [f"| `{event}` | {', '.join(states)} | {text} |" for event, states, text in rows]
    return "\n".join(["| event | happens in | meaning |", "| --- | --- | --- |", *lines])


def batch_table() -> str:
    """Return a table of the commands: the new state of a batch in each state, or a dash if the command is refused."""
    rows = [
        [f"`{control}`", *(COMMAND_TRANSITIONS.get((control, command), "–") for command in Command)]
        for control in Control
    ]
    head = ["asked so far", *Command]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])
