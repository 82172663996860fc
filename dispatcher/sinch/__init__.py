"""Client of the Sinch Fax API v3.

``client.FaxClient`` is the entry point; ``callbacks`` reads the provider's callbacks.
"""
