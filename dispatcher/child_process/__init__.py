"""Runs work on files of strangers in a process of its own, which may crash or be killed without harm to this one.

``runner`` starts the process and waits for it; ``__main__`` is what runs inside it.
"""
