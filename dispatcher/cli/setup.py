"""Settings, as the commands need them that work beside the API: with a Redis that is there."""

import tomllib

from dispatcher.cli.output import Failure
from dispatcher.core.policy import Policy, PolicyError, policy_from
from dispatcher.settings import Settings, load_settings
from dispatcher.store.server import running_url


def settings_with_redis() -> Settings:
    """All settings, where an empty BULKFAX_REDIS_URL becomes the address of the embedded server that runs here.

    Raises SettingsError, and Failure when there is no Redis.
    """
    settings = load_settings()
    if settings.redis_url:
        return settings
    if url := running_url(settings.data_dir / "redis"):
        return settings.model_copy(update={"redis_url": url})
    raise Failure(
        f"no Redis is named and none runs in {settings.data_dir}: set BULKFAX_REDIS_URL, "
        f"or start everything with `bulkfax up`, which brings its own"
    )


def load_policy(settings: Settings) -> Policy:
    """The policy in use. Raises Failure when its file cannot be read, PolicyError when it makes no sense."""
    path = settings.policy_file
    if path is None:
        return Policy()
    try:
        return policy_from(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"the policy file {path} cannot be read: {error}") from error
    except (tomllib.TOMLDecodeError, PolicyError) as error:
        raise PolicyError(f"{path}: {error}") from error
