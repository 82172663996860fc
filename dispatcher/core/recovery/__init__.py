"""How the truth is found out again: what to read at the provider, and what to check in the store and in its clock."""
