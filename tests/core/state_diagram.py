"""Draws the tables of states as docs/state_machine.md shows them."""

from dispatcher.core.batch import COMMAND_TRANSITIONS, Command, Control
from dispatcher.core.job import FINAL, State
from dispatcher.core.lifecycle import TRANSITIONS, Event


def job_diagram() -> str:
    """A mermaid diagram: one arrow for each pair of states, with the events that lead from one to the other."""
    arrows: dict[tuple[State, State], list[Event]] = {}
    for (state, event), target in TRANSITIONS.items():
        arrows.setdefault((state, target), []).append(event)
    lines = [f"    {state.label} --> {target.label}: {', '.join(events)}" for (state, target), events in arrows.items()]
    ends = [f"    {state.label} --> [*]" for state in FINAL]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {State.WAITING.label}", *lines, *ends])


#: what each event means, in a sentence
EVENTS = {
    Event.CLAIMED: "the scheduler leased the job to a worker",
    Event.GIVEN_BACK: "it goes back unspent: its lease ended, begin granted nothing, or the provider took nothing",
    Event.BEGUN: "it was written down as being sent, before the first byte",
    Event.UNCLEAR: "the answer to the POST was unclear: the fax is searched for",
    Event.ACCEPTED: "the provider has the fax",
    Event.NO_NEWS: "a look-up or a read-back brought nothing new",
    Event.DELIVERED: "the fax arrived",
    Event.RETRIED: "the fax failed, or the request was refused, and is tried again or waits for a hold to end",
    Event.VANISHED: "it was searched for over the settling time and not found, or accepted and is not known any more",
    Event.FAILED: "a failure ends the job",
    Event.UNCONFIRMED: "a failure, or the lack of an end, ends the job, and the pages may have arrived",
    Event.CANCELLED: "the batch was cancelled",
    Event.EXPIRED: "the batch's deadline passed",
}


def event_table() -> str:
    """A table: each event, the states in which it can happen, its meaning."""
    rows = [
        (event, [state.label for state, other in TRANSITIONS if other is event], text) for event, text in EVENTS.items()
    ]
    lines = [f"| `{event}` | {', '.join(states)} | {text} |" for event, states, text in rows]
    return "\n".join(["| event | happens in | meaning |", "| --- | --- | --- |", *lines])


def batch_table() -> str:
    """A table: what was asked of a batch, and what each command makes of it; a dash where it is refused."""
    rows = [
        [f"`{control}`", *(COMMAND_TRANSITIONS.get((control, command), "–") for command in Command)]
        for control in Control
    ]
    head = ["asked so far", *Command]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])
