"""The use-cases: each gathers what it needs, lets the core decide, and applies the decision."""
