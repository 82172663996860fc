"""Reads recipient lists as customers send them: bytes in, E.164 recipients and refused rows out.

``read_rows`` is the way in. It works on a stream and keeps only a piece of it in memory. The package knows neither the
store nor a web framework.
"""
