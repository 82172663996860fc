"""The use-cases. Each reads what it needs from store and provider, lets the core decide, and applies the decision."""
