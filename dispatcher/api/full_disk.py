"""Answers a full folder for temporary files."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from dispatcher.service.errors import StoreFull


@contextmanager
def full_disk_refuses() -> Iterator[None]:
    """Raise StoreFull for what a full disk makes fail."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreFull("the folder for temporary files of web is full: make room there, then send it again") from error
