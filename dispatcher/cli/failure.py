"""The error that commands raise, in a module without other imports, so that services can import it quickly."""


class CommandFailed(Exception):
    """Raised if a command cannot do what was asked. The text says why and what to do; the exit status is 1."""
