"""The error of benches that cannot be measured."""


class BenchFailed(Exception):
    """Raised when a bench cannot be measured; the text is a sentence that says why."""
