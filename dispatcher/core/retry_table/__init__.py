"""The retry table as data: one ``Rule`` for each failure. ``rows.py`` puts the parts together."""
