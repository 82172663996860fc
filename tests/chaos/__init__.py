"""The chaos drill: parts are killed and frozen while mailings run, and the provider misbehaves; then it is counted.

``./run chaos``. The plan is data (``plan``), ``faults`` carries it out, ``verdict`` compares the result.
"""
