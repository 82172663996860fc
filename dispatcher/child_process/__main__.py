"""What a child process runs: it limits itself, then calls the task that its arguments name.

It imports little, because every document waits for its start.
"""

import errno
import os
import resource
import signal
import sys
from importlib import import_module

#: exit statuses by which the parent knows what happened
OUT_OF_MEMORY, TOO_MUCH_OUTPUT, UNEXPECTED = 71, 72, 73
#: a task needs its two files, and those that its imports open
_OPEN_FILES = 64
_LOW_PRIORITY = 10


def limit_this_process(memory_bytes: int, seconds: int, output_bytes: int) -> None:
    """Limit memory, processor time, wall time, size and number of files. None of it can be taken back."""
    if sys.platform == "linux":  # other systems cannot limit addresses
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output_bytes, output_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_LOW_PRIORITY)
    # the parent ends this process in time; the alarm does if there is no parent any more
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds + 1)


def main(memory_bytes: str, seconds: str, output_bytes: str, task: str, *arguments: str) -> int:
    """Call ``run`` of the module ``task`` with input, output and arguments, and return the exit status."""
    limit_this_process(int(memory_bytes), int(seconds), int(output_bytes))
    try:
        import_module(task).run(sys.stdin.buffer, sys.stdout.buffer, *arguments)
        sys.stdout.buffer.flush()
    except MemoryError:
        return OUT_OF_MEMORY
    except OSError as error:
        return TOO_MUCH_OUTPUT if error.errno == errno.EFBIG else UNEXPECTED
    except Exception as error:  # noqa: BLE001 - the parent logs it
        _replace_output(_place(error))
        return UNEXPECTED
    return 0


def _place(error: BaseException) -> str:
    """Return type and place of an error. Its text is left out, as it may repeat what is in the input."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}"


def _replace_output(text: str) -> None:
    os.ftruncate(1, 0)
    os.pwrite(1, text.encode(), 0)


if __name__ == "__main__":
    # without the interpreter's own end, which would free all memory piece by piece
    os._exit(main(*sys.argv[1:]))
