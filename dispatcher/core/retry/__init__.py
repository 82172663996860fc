"""The retry decision: what happens to a job after a failure. ``decide.py`` is the place to start."""
