"""Webhooks over HTTP: signs deliveries and sends them to addresses that are checked for each connection."""
