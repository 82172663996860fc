"""Logs which holds are in force, however they were opened and ended: by a script, a probe, a person or a fix."""

import structlog

from dispatcher.store.holds import Hold
from dispatcher.store.store import Store

log = structlog.get_logger(__name__)

#: seconds between two looks
_LOOK_S = 5.0


class HoldLog:
    """Compares the holds with those of the last look. Each scheduler logs what it sees, also at its start."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Hold] = {}
        #: held jobs by batch and category
        self._jobs: dict[tuple[str, str], int] = {}
        self._looked_s: float | None = None

    async def look(self, now_s: float) -> None:
        """Log what has changed since the last look, if that is some seconds ago. Raises StoreError."""
        if self._looked_s is not None and now_s - self._looked_s < _LOOK_S:
            return
        self._looked_s = now_s
        summary = await self._store.holds.summary()
        wide = {hold.id: hold for hold in summary.wide}
        jobs = {(group.batch, group.category): group.jobs for group in summary.jobs}
        for hold in (hold for key, hold in wide.items() if key not in self._known):
            log.warning("a hold is in force", scope=hold.scope, category=hold.category, cause=hold.cause)
        for hold in (hold for key, hold in self._known.items() if key not in wide):
            log.info("a hold has ended", scope=hold.scope, category=hold.category)
        for (batch, category), held in jobs.items():
            if held != self._jobs.get((batch, category), 0):
                log.info("jobs of a batch are held", batch=batch, category=category, jobs=held)
        for batch, category in self._jobs.keys() - jobs.keys():
            log.info("no job of a batch is held", batch=batch, category=category)
        self._known, self._jobs = wide, jobs
