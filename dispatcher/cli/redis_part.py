"""The embedded Redis among the processes of a machine."""

from dispatcher.cli.output import CommandFailed
from dispatcher.store.server import EmbeddedServer, ServerNotStarted


class RedisProcess:
    """The embedded server, seen as one of the processes."""

    name = "redis"

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server

    @property
    def running(self) -> bool:
        return self.server.running

    def start(self) -> None:
        try:
            self.server.start()
        except ServerNotStarted as error:
            raise CommandFailed(str(error)) from error

    def ask_to_stop(self) -> None:
        """It must outlive the others, who still write to it."""

    def stop(self) -> None:
        self.server.stop()

    def how_it_ended(self) -> str:
        return f"ended; see {self.server.log_file}"

    def last_words(self) -> str:
        return ""
