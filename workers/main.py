"""What ``dramatiq workers.main:boot`` starts: broker and actors from the settings."""

from dispatcher.core.points import At
from dispatcher.runtime import broker_client
from dispatcher.settings import load_settings
from workers.actors import Actors, declare
from workers.broker import make_broker
from workers.parts import Parts


def boot(at: At | None = None) -> Actors:
    """Raises SettingsError. ``at`` is for tests."""
    settings = load_settings()
    parts = Parts(settings, at)
    return declare(make_broker(broker_client(settings), parts), parts)
