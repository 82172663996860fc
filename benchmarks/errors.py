"""The error of benchmarks that cannot run."""


class BenchFailed(Exception):
    """Raised when a benchmark cannot run; the text is a sentence that says why."""
