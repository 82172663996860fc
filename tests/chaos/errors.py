"""The error of drills."""


class DrillFailed(Exception):
    """Raised when a drill cannot be carried out; the text is a sentence that says why."""
