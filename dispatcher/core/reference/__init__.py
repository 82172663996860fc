"""Reference implementations of what the Lua scripts of the store decide. Only tests run them.

Redis decides about permits, shares of batches and holds inside its scripts, so that a decision and its write are one
step. The same rules are written here in Python, and tests of the store compare a script's answers with them. Constants
and state that production code reads too are in ``dispatcher/core/limits``.
"""
