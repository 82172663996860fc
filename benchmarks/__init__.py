"""Measurements, each beside what a user would take instead: ``./run bench``."""
