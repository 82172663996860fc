"""Some drills of ``./run drills``: `batches why` names the cause, and the printed command puts it right."""

from collections.abc import Iterator

import pytest

from dispatcher.core.diagnosis import Cause
from tests.drills.drills import DRILLS
from tests.drills.run import run_drill
from tests.drills.stage import Stage, open_stage

pytestmark = pytest.mark.story
#: one with a hold of the account, one with a mistake in the mailing, one with nothing wrong
SHORT = (Cause.NO_FUNDS, Cause.WRONG_SENDER, Cause.PAUSED)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_stage(tmp_path_factory.mktemp("drills")) as stage:
        yield stage


@pytest.mark.parametrize("cause", SHORT)
def test_the_cause_is_named_and_the_printed_command_puts_it_right(stage: Stage, cause: Cause) -> None:
    drill = next(drill for drill in DRILLS if drill.cause is cause)
    assert run_drill(drill, stage).asked.status == 0


def test_every_cause_is_provoked_or_needs_a_broken_installation() -> None:
    others = {
        *(Cause.STORE, Cause.REPLICAS, Cause.RECORD_ROLLED_BACK, Cause.INTERNAL, Cause.HELD, Cause.IN_FLIGHT),
        *(Cause.PROVIDER_WAIT, Cause.WRONG_REQUEST, Cause.RECIPIENTS),
    }
    assert {drill.cause for drill in DRILLS} == set(Cause) - others
