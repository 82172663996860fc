"""The chaos drill: processes are killed and frozen and the provider misbehaves while mailings are sent.

Run it with ``./run chaos``. ``plan`` describes the faults, ``faults`` injects them, and ``verdict`` compares the jobs
with the provider's ledger afterwards.
"""
