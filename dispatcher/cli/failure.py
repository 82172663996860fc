"""The error of commands, apart from what they write with: processes that serve need no more of the command line."""


class CommandFailed(Exception):
    """The command cannot do what was asked. The text is a sentence that says why and what to do; exit status 1."""
