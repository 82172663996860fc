"""Runs jobs of batches again, as new batches: the order, what it puts right, and who must not get a second fax."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field

from dispatcher.core.batch import Control, Definition
from dispatcher.core.job import FINAL
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.names import KeyUse, digest
from dispatcher.core.rerun import Overrides, alike, rerun_definition
from dispatcher.service.errors import ActionNotAllowed, InvalidInput, NumberSuppressed
from dispatcher.service.idempotency import fingerprint
from dispatcher.service.mailings import Allowed, Mailings
from dispatcher.service.repeats import compared_mailing
from dispatcher.service.rerun import Check, Copy, Parents, copy_selected, unchecked
from dispatcher.service.views import BatchView, find_batch, view_batch
from dispatcher.store.batches import Overview
from dispatcher.store.store import Store

#: batches that one request may run again
MAX_PARENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunOrder:
    """What to run again, and how. The filter names final states only."""

    selected: JobFilter
    overrides: Overrides = field(default_factory=Overrides)
    reason: str = ""
    start: bool = True
    allowed: Allowed = field(default_factory=Allowed)
    #: recipients that it refuses, because the policy was changed, become refused rows of the new batch
    check: Check = unchecked

    @property
    def content(self) -> tuple[object, ...]:
        """What an idempotency key stands for."""
        return self.selected.plain(), asdict(self.overrides), self.reason, self.start, asdict(self.allowed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Parents that send the same, and the definition of the batch that runs them again."""

    parents: Parents
    definition: Definition


class Reruns:
    """Runs jobs of batches again."""

    def __init__(self, store: Store, mailings: Mailings, number_key: bytes) -> None:
        """Create the use-case. ``number_key`` is the key with which numbers are hashed."""
        self._store = store
        self._mailings = mailings
        self._number_key = number_key

    async def groups(self, batches: Sequence[str], order: RerunOrder) -> list[Group]:
        """Return which batches are run again together. Raises Missing, and ActionNotAllowed if no job can match."""
        if not order.selected.states or not order.selected.states.issubset(FINAL):
            raise InvalidInput({"states": "name final states: other jobs have not ended"})
        overviews = {batch: await find_batch(self._store, batch) for batch in dict.fromkeys(batches)}
        if not any(order.selected.limit_of(overview.tally) for overview in overviews.values()):
            raise ActionNotAllowed(_nothing(list(overviews.values())))
        groups = []
        for parents in alike([overview.definition for overview in overviews.values()], order.overrides):
            definition = rerun_definition(parents, order.overrides, order.reason)
            groups.append(Group(parents=Parents([overviews[p.id] for p in parents]), definition=definition))
        return groups

    async def run(self, batches: Sequence[str], order: RerunOrder, key: str | None) -> list[BatchView]:
        """Create batches from final jobs of others: one of all that send the same with the overrides.

        Nothing is started before all of them have their recipients. A batch without recipients is left out.

        Raises:
            Missing: There is no such batch.
            ActionNotAllowed: The filter matches no job.
            NumberSuppressed: All numbers are on the do-not-fax list.
            WarningsNotAllowed: Other documents are sent and have warnings that are not allowed.
            Conflict: The idempotency key was used before with other content.
            TooManyDrafts: There are as many open drafts as the policy allows.
            WrongCredentials: The provider rejects our credentials. No batch was created.
            Repeated: Another rerun has sent to some of these jobs. The drafts were cancelled.
        """
        groups = await self.groups(batches, order)
        for group in groups:
            await self._mailings.ensure_looks_allowed(group.definition, order.allowed)
        if order.start:
            await self._mailings.ensure_credentials()
        async with AsyncExitStack() as drafts:
            children = []
            for index, group in enumerate(groups):
                own_key = digest(key, index) if key and index else key
                content = fingerprint(*group.definition.parents, *order.content)
                child = await self._mailings.create_named(group.definition, KeyUse.RERUN, own_key, content)
                await drafts.enter_async_context(self._mailings.kept_if_complete(child, key))
                await copy_selected(self._store, self._copy(group, child, order))
                children.append(child)
            filled = await self._filled(children, groups)
            if order.start:
                await self._start(filled, order.allowed)
        return [await view_batch(self._store, child) for child in filled]

    def _copy(self, group: Group, child: str, order: RerunOrder) -> Copy:
        return Copy(
            parents=group.parents,
            child=child,
            selected=order.selected,
            number_key=self._number_key,
            check=order.check,
            ignore_dead_numbers=group.definition.ignore_dead_numbers,
        )

    async def _filled(self, children: Sequence[str], groups: Sequence[Group]) -> list[str]:
        """Return the batches that have recipients, and end the others. Raises if none has any."""
        overviews = [await find_batch(self._store, child) for child in children]
        filled = [overview.definition.id for overview in overviews if overview.rows]
        if not filled:
            _raise_nothing_left(overviews, [parent for group in groups for parent in group.parents.overviews])
        for child in children:
            if child not in filled:
                await self._store.batches.end_draft(child, Control.CANCELLED)
        return filled

    async def _start(self, children: Sequence[str], allowed: Allowed) -> None:
        """Start the batches. Those of several are compared first, so that one that is refused keeps all of them."""
        for child in children if len(children) > 1 else ():
            overview = await find_batch(self._store, child)
            if overview.control is Control.DRAFT:
                await compared_mailing(self._store, overview.definition, allowed=allowed.repeat)
        for child in children:
            await self._mailings.start_if_draft(child, allowed)


def _raise_nothing_left(children: Sequence[Overview], parents: Sequence[Overview]) -> None:
    suppressed = sum(child.suppressed for child in children)
    refused = sum(child.refused for child in children)
    if suppressed and not refused:
        raise NumberSuppressed(f"each number ({suppressed:,}) is on the do-not-fax list: nothing to run again")
    if suppressed or refused:
        raise ActionNotAllowed(
            f"the numbers are not allowed by the policy ({refused:,}) or on the do-not-fax list ({suppressed:,}): "
            "nothing to run again"
        )
    raise ActionNotAllowed(_nothing(parents))


def _nothing(parents: Sequence[Overview]) -> str:
    """Return a sentence for batches in which no job matches, with what they have."""
    counts = {state: sum(parent.tally.by_state.get(state, 0) for parent in parents) for state in FINAL}
    has = ", ".join(f"{jobs:,} {state.label}" for state, jobs in counts.items() if jobs) or "none that has ended"
    which = f"batch {parents[0].definition.id} has" if len(parents) == 1 else f"these batches ({len(parents)}) have"
    return f"{which} no final job that matches: nothing to run again. Its jobs by state: {has}"
