"""Benchmarks that compare bulkfax with what a user would run instead: ``./run bench``."""
