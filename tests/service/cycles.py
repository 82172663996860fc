"""A random walk of commands and restarts through running mailings, and its model: what was asked of each batch."""

import asyncio
import os
import signal
from collections import Counter
from random import Random

from dispatcher.core.batch import COMMAND_TRANSITIONS, Command, CommandRefusal, Control
from dispatcher.core.batch_change import BatchChange
from dispatcher.local.ledger import OurJob
from dispatcher.local.redis_server import EmbeddedServer
from dispatcher.service.errors import ActionNotAllowed
from dispatcher.service.mailings import Allowed
from dispatcher.store.store import Store
from tests.service.fake_provider import FakeProvider
from tests.service.system import InProcessSystem, call_back
from tests.store.fixture import StoreFixture, number

#: batches that run at a time, and their recipients
RUNNING, ROWS = 5, 30
#: of all batches together, so that jobs meet at a number
NUMBERS = 400
#: one restart in so many is one of the server
SERVER_EVERY = 25
_WORDS, _WEIGHTS = ("pause", "resume", "cancel", "restart", "change"), (33, 45, 2, 20, 8)


class Cycles:
    def __init__(
        self, db: StoreFixture, store: Store, server: EmbeddedServer, dice: Random, *, step_s: int = 0
    ) -> None:
        """``step_s``: one cycle in four sets the server's clock by so much, forward or back."""
        self.step_s = step_s
        self.db = db
        self.store = store
        self.server = server
        self.dice = dice
        self.provider = FakeProvider(dice, db)
        self.controls: dict[str, Control] = {}
        self.numbers: dict[str, list[str]] = {}
        self.done: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        self.system = self._opened()
        self._live: list[str] = []

    async def cycle(self) -> None:
        """Some work, and a command or a restart in the middle of it."""
        await self._top_up()
        await call_back(self.store, self.provider.end_calls(0.5), self.dice)
        await self.system.begin_due()
        for _ in range(self.dice.randrange(12)):
            await asyncio.sleep(0.0005)
        word = self.dice.choices(_WORDS, _WEIGHTS)[0]
        if word == "restart":
            await self._restart()
        elif word == "change":
            await self._change()
        else:
            await self._command(Command(word))
        self.done[word] += 1
        if self.step_s and self.dice.randrange(4) == 0:
            await self.db.step_s(self.dice.choice((-self.step_s, self.step_s)))
            self.done["step"] += 1
        await self.db.pass_ms(self.dice.choice((1, 20, 200, 200, 2_000, 20_000)))

    async def finish(self) -> None:
        """Resume what is paused, and let everything end."""
        for batch in [name for name, control in self.controls.items() if control is Control.PAUSED]:
            await self._ask(batch, Command.RESUME)
        for _ in range(500):
            await call_back(self.store, self.provider.end_calls(1.0), self.dice)
            await self.system.begin_due()
            await self.system.finish()
            await self._look()
            if not self._live and not await self.store.inbox.depth():
                return
            await self.db.pass_ms(100_000)
        raise AssertionError(f"these do not end: {self._live}")

    async def jobs(self) -> list[OurJob]:
        return [
            OurJob(id=f"{batch}.{row}", number=to, state=record.state.label)
            for batch, numbers in self.numbers.items()
            for row, (to, record) in enumerate(zip(numbers, await self.store.batches.records(batch, 0), strict=True))
        ]

    def _opened(self) -> InProcessSystem[FakeProvider]:
        return InProcessSystem(self.store, self.db, self.provider, f"system{self.done['restart']}")

    async def _look(self) -> None:
        """Forget batches whose jobs are all final."""
        seen = await asyncio.gather(*map(self.store.batches.overview, self._live))
        self._live = [overview.definition.id for overview in seen if overview and overview.tally.live]

    async def _top_up(self) -> None:
        await self._look()
        while len(self._live) < RUNNING:
            name = f"b{len(self.controls)}"
            self.numbers[name] = [number(index) for index in self.dice.sample(range(NUMBERS), ROWS)]
            await self.db.draft(name, self.numbers[name])
            self.controls[name] = Control.DRAFT
            await self._ask(name, Command.START)
            self._live.append(name)

    async def _command(self, command: Command) -> None:
        needed = Control.PAUSED if command is Command.RESUME else Control.RUNNING
        batches = [name for name in self._live if self.controls[name] is needed] or self._live
        await self._ask(self.dice.choice(batches), command)

    async def _ask(self, batch: str, command: Command) -> None:
        """Ask the store and the model. From the answer on nothing begins that may not."""
        before = self.controls[batch]
        expected = COMMAND_TRANSITIONS.get((before, command))
        answer = await self.store.batches.command(batch, command)
        assert answer is not None
        if answer.refusal is CommandRefusal.ENDED:  # its last job ended a moment ago
            assert answer.control is before
            return
        assert (answer.done, answer.control) == (expected is not None, expected or before)
        self.controls[batch] = answer.control
        if answer.control is Control.RUNNING:
            self.provider.left.pop(batch, None)
        elif answer.control is not before:
            self.provider.left[batch] = answer.in_flight

    async def _change(self) -> None:
        """Give a paused batch another sender. From the answer on nothing begins with that of before."""
        paused = [name for name in self._live if self.controls[name] is Control.PAUSED]
        if not paused:
            return
        batch, sender = self.dice.choice(paused), number(self.done["change"])
        change = BatchChange(options={"sender": sender})
        try:
            answer = await self.system.runtime.batch_changes.change(batch, change, Allowed())
        except ActionNotAllowed:  # its last job ended a moment ago
            return
        self.provider.senders[batch], self.provider.left_of_before[batch] = sender, answer.sending

    async def _restart(self) -> None:
        """Of the server, or of everything else."""
        if self.done["restart"] % SERVER_EVERY == SERVER_EVERY - 1:
            os.kill(self.server.pid, signal.SIGKILL)
            while self.server.running:  # noqa: ASYNC110  # a process tells nobody that it ended
                await asyncio.sleep(0.001)
            self.server.start()
        else:
            await self.system.kill()
            self.failures += self.system.failures
            self.system = self._opened()
