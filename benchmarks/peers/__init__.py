"""What one would write in an afternoon instead: a queue library, a task for every fax, ``httpx``."""
