"""Side by side with what a user would take instead: ``./run bench``."""
