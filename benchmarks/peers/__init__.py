"""What a user would write instead of bulkfax: a queue library, a task for every fax, and ``httpx``."""
