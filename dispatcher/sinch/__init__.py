"""The Sinch Fax API v3 over HTTP. Start at ``client.FaxClient``; callbacks are read in ``callbacks``."""
