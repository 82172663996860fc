"""Runs the product on one machine: Redis, the emulator, the services, and a check against the provider's ledger."""
