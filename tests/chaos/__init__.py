"""The chaos drill: parts are killed and frozen while mailings run, and the provider misbehaves; then it is counted.

``./run chaos``. What is planned is data (``plan``), what is done is in ``acts``, what came of it in ``verdict``.
"""
