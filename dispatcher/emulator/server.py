"""Runs the emulator as an HTTP server, in the foreground or in a thread."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dispatcher.emulator.app import create_app
from dispatcher.emulator.config import EmulatorConfig
from dispatcher.emulator.responses import DROP

_BACKLOG = 2048


class CuttingProtocol(HttpToolsProtocol):
    """Adds a function that closes the connection to the scope of each request; ASGI itself offers none."""

    def on_message_begin(self) -> None:
        """Add the function to the scope of a new request."""
        super().on_message_begin()
        cast(dict[str, object], self.scope)[DROP] = self.transport.abort


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningEmulator:
    """The address of a running emulator, and its settings with the credentials."""

    url: str
    config: EmulatorConfig

    @property
    def line(self) -> str:
        """The first line that ``serve`` prints. It names the secret only if that is the one of this file's defaults."""
        config = self.config
        known = EmulatorConfig().key_secret
        secret = f" secret={known}" if config.key_secret == known else ""
        return f"emulator: {self.url} project={config.project_id} key={config.key_id}{secret}"


def listen(config: EmulatorConfig) -> tuple[socket.socket, RunningEmulator]:
    """Open the listening socket; port 0 selects a free port.

    Raises:
        OSError: the port is not available.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    host = f"[{config.host}]" if family == socket.AF_INET6 else config.host
    return listener, RunningEmulator(url=f"http://{host}:{listener.getsockname()[1]}", config=config)


def _server(config: EmulatorConfig) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            create_app(config),
            http=CuttingProtocol,
            ws="none",
            proxy_headers=False,
            log_level="warning",
            access_log=False,
            backlog=_BACKLOG,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
    )


def serve(config: EmulatorConfig) -> None:
    """Print one line with the address and the account, then run until interrupted.

    Raises:
        OSError: the port is not available.
    """
    listener, emulator = listen(config)
    print(emulator.line, flush=True)  # noqa: T201 - scripts read this line
    # An interrupt is the ordinary way to stop it.
    with listener, suppress(KeyboardInterrupt):
        _server(config).run(sockets=[listener])


@contextmanager
def running(config: EmulatorConfig) -> Iterator[RunningEmulator]:
    """Run the emulator in a thread until the context ends."""
    listener, emulator = listen(config)
    server = _server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="emulator", daemon=True)
    thread.start()
    try:
        yield emulator
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
