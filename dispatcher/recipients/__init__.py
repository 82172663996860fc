"""Reads recipient lists as customers send them: bytes in, E.164 recipients and refused rows out.

``RowReader`` is the way in. It keeps only a piece of the list in memory. The package knows neither the store nor a web
framework.
"""
