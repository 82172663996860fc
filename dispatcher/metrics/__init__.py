"""Metrics for Prometheus: the totals of an installation, and those of a process."""
