"""What ``dramatiq workers.main:boot`` starts: broker and actors from the settings."""

from dispatcher.runtime import broker_client
from dispatcher.settings import load_settings
from workers.actors import Actors, declare
from workers.broker import make_broker
from workers.parts import Parts


def boot() -> Actors:
    """Raises SettingsError."""
    settings = load_settings()
    parts = Parts(settings)
    return declare(make_broker(broker_client(settings), parts), parts)
