"""The drills: one for each cause that ``bulkfax batches why`` names, with what provokes it and what ends it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dispatcher.core.diagnosis import Cause
from tests.drills.stage import Stage

#: recipients of a mailing, and seconds until a scheduled one begins
_FEW, _LATER_S = 8, 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A cause, and how it is provoked and put right."""

    cause: Cause
    title: str
    #: what happens, for people
    story: str
    #: provokes the cause, and returns the batch that somebody asks about
    provoke: Callable[[Stage], str]
    #: what somebody does outside of bulkfax before the command is typed, for people; and its double
    outside: str = ""
    mend: Callable[[Stage], object] = lambda stage: None
    #: word of the second printed command that stands for what the first one names, and what is said before it is typed
    placeholder: str = ""
    filled_in: str = ""
    #: whether nobody needs to do anything
    ends_by_itself: bool = False
    #: the command starts a service, which runs on
    starts_service: bool = False
    #: whether it is put right
    is_right: Callable[[Stage, str], bool] = Stage.all_delivered

    @property
    def name(self) -> str:
        return self.cause.value


def _refusing(status: int) -> Callable[[Stage], str]:
    """Return what provokes a hold: the provider answers every send with a status."""

    def provoke(stage: Stage) -> str:
        stage.provider_does(f'requests = "{status}_before"')
        return stage.send(stage.numbers(_FEW))

    return provoke


def _no_callbacks(stage: Stage) -> str:
    stage.provider_does('callbacks = "lost"')
    return stage.send(stage.numbers(_FEW))


def _callbacks_again(stage: Stage) -> None:
    stage.provider_does()
    stage.send(stage.numbers(1))


def _callbacks_arrive(stage: Stage, batch: str) -> bool:
    return all(finding.cause != Cause.NO_CALLBACKS for finding in stage.client.diagnosis(batch).findings)


def _forbidden_country(stage: Stage) -> str:
    stage.provider_does('[[numbers]]\nprefix = "+33"\nrequests = "403_before"')
    return stage.send([*stage.numbers(3), *(f"+3319900{row:04}" for row in range(5))])


def _wrong_sender(stage: Stage) -> str:
    return stage.send(stage.numbers(_FEW), sender="+12125550199")


def _bad_document(stage: Stage) -> str:
    stage.provider_does('outcomes = "conversion_failed"')
    return stage.send(stage.numbers(_FEW), max_per_second=2)


def _dead_numbers(stage: Stage) -> str:
    stage.provider_does('outcomes = "bad_number"')
    return stage.send([f"+170255501{row:02}" for row in range(60)], max_per_second=5)


def _is_cancelled(stage: Stage, batch: str) -> bool:
    return stage.client.batch(batch).state == "cancelled"


def _one_area(stage: Stage) -> str:
    stage.provider_does('[[numbers]]\nprefix = "+4930"\noutcomes = "no_answer"')
    return stage.send([*stage.numbers(12), *(f"+49302312500{row}" for row in range(10))])


def _without(service: str) -> Callable[[Stage], str]:
    def provoke(stage: Stage) -> str:
        stage.end_service(service)
        return stage.send(stage.numbers(_FEW))

    return provoke


def _busy(stage: Stage) -> str:
    numbers = stage.numbers(_FEW)
    busy = [f'[[numbers]]\nto = "{number}"\nattempts = ["busy", "delivered"]' for number in numbers[:3]]
    stage.provider_does("\n".join(busy))
    return stage.send(numbers)


def _forgotten(stage: Stage) -> str:
    stage.provider_does('callbacks = "lost"\nreads = "404"')
    return stage.send(stage.numbers(3))


def _paused(stage: Stage) -> str:
    batch = stage.send(stage.numbers(_FEW), max_per_second=4)
    stage.client.pause(batch)
    return batch


def _used_up(stage: Stage) -> str:
    stage.client.set_rate(per_day=5)
    return stage.send(stage.numbers(_FEW))


def _scheduled(stage: Stage) -> str:
    return stage.send(stage.numbers(_FEW), start_at=datetime.now(UTC) + timedelta(seconds=_LATER_S))


DRILLS: tuple[Drill, ...] = (
    # the first: no callback has arrived before
    Drill(
        cause=Cause.NO_CALLBACKS,
        title="Callbacks do not arrive",
        story="The provider cannot reach `BULKFAX_PUBLIC_URL`. The faxes arrive; their results are read, later.",
        provoke=_no_callbacks,
        outside="Somebody opens the firewall. The command says whether the address answers; the next call ends with a "
        "callback.",
        mend=_callbacks_again,
        is_right=_callbacks_arrive,
    ),
    Drill(
        cause=Cause.CREDENTIALS,
        title="The account is held: the credentials are refused",
        story="The provider answers every send with 401.",
        provoke=_refusing(401),
        outside="Somebody corrects the key.",
        mend=Stage.provider_does,
    ),
    Drill(
        cause=Cause.NO_FUNDS,
        title="The account is held: no funds",
        story="The provider answers every send with 402.",
        provoke=_refusing(402),
        outside="Somebody tops the account up.",
        mend=Stage.provider_does,
    ),
    Drill(
        cause=Cause.PROVIDER_FAILS,
        title="The provider fails",
        story="The provider answers every send with 503.",
        provoke=_refusing(503),
        outside="The provider works again.",
        mend=Stage.provider_does,
    ),
    Drill(
        cause=Cause.NOT_PERMITTED,
        title="A country is held: not permitted",
        story="The provider answers sends to France with 403. The others are delivered.",
        provoke=_forbidden_country,
        outside="Somebody has France permitted.",
        mend=Stage.provider_does,
    ),
    Drill(
        cause=Cause.WRONG_SENDER,
        title="The batch is held: wrong sender",
        story="The mailing names a sender that is none of the project's numbers.",
        provoke=_wrong_sender,
        placeholder="YOUR-NUMBER",
        filled_in="Somebody puts the number in place of YOUR-NUMBER, which the command line refuses.",
    ),
    Drill(
        cause=Cause.BAD_DOCUMENT,
        title="A document is held: the provider cannot convert it",
        story="The provider's converter fails for the PDF.",
        provoke=_bad_document,
        outside="Somebody saves the letter again, as LETTER.pdf.",
        mend=Stage.provider_does,
    ),
    Drill(
        cause=Cause.DEAD_NUMBERS,
        title="The batch is held: dead numbers",
        story="The list is years old: its numbers are not in operation.",
        provoke=_dead_numbers,
        outside="Somebody compares some numbers with the customer database: the list is wrong.",
        is_right=_is_cancelled,
    ),
    Drill(
        cause=Cause.PREFIX_FAILS,
        title="One area fails",
        story="Nobody answers in Berlin. All others are delivered.",
        provoke=_one_area,
        outside="The carrier repairs its route.",
        mend=Stage.provider_does,
    ),
    Drill(
        cause=Cause.FAX_UNKNOWN,
        title="The provider has forgotten faxes",
        story="The provider accepted three faxes, sends no callbacks, and answers 404 when they are read.",
        provoke=_forgotten,
        outside="Somebody asks the recipients: nothing has arrived. What is released is sent again.",
        mend=Stage.provider_does,
    ),
    Drill(
        cause=Cause.NO_SCHEDULER,
        title="No scheduler runs",
        story="The scheduler has ended and is not restarted.",
        provoke=_without("scheduler"),
        starts_service=True,
    ),
    Drill(
        cause=Cause.NO_WORKER,
        title="No worker runs",
        story="The worker has ended and is not restarted.",
        provoke=_without("worker"),
        starts_service=True,
    ),
    Drill(
        cause=Cause.ALLOWANCE,
        title="The limit of a day is used up",
        story="Five requests a day are allowed, and eight faxes are to be sent.",
        provoke=_used_up,
        outside="The contract allows more.",
    ),
    Drill(
        cause=Cause.PAUSED,
        title="The batch is paused",
        story="Somebody has paused it.",
        provoke=_paused,
    ),
    Drill(
        cause=Cause.NOT_STARTED,
        title="The batch is a draft",
        story="Nobody has started it.",
        provoke=lambda stage: stage.draft(stage.numbers(_FEW)),
    ),
    Drill(
        cause=Cause.SCHEDULED,
        title="The batch is scheduled",
        story="It was started, and waits for its start time. To start it again changes nothing.",
        provoke=_scheduled,
        ends_by_itself=True,
    ),
    Drill(
        cause=Cause.PARTIAL_START,
        title="Only a part was started",
        story="Somebody has started three of eight, to look at them first.",
        provoke=lambda stage: stage.send(stage.numbers(_FEW), first=3),
    ),
    Drill(
        cause=Cause.WAITING_FOR_RETRY,
        title="Only retries are left",
        story="Three lines are busy. They are called again a while later.",
        provoke=_busy,
        ends_by_itself=True,
    ),
    Drill(
        cause=Cause.NOTHING_WRONG,
        title="Nothing is wrong",
        story="Every fax is delivered.",
        provoke=lambda stage: stage.send(stage.numbers(_FEW)),
        ends_by_itself=True,
    ),
)
