"""``python -m dispatcher.cli``: the command, for processes that start it with their own interpreter."""

from dispatcher.cli.main import run

run()
