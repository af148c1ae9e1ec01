#!/usr/bin/env python
"""Django's command line, with a bad setting or a database that is away as a sentence instead of a traceback."""

import errno
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    if sys.argv[1:2] == ["convert"]:
        return convert()
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except ImproperlyConfigured as exc:
        sys.exit(f"Dragoman does not start: {exc}")
    except (OperationalError, ProgrammingError) as exc:
        if "--traceback" in sys.argv:
            raise
        words = (str(exc).strip() or type(exc).__name__).splitlines()[0]
        sys.exit(f"The database cannot be used: {words}. {_what_to_do(words)}")
    except OSError as exc:
        if "--traceback" in sys.argv or exc.errno not in (errno.ENOSPC, errno.EPIPE):
            raise
        # What is left in the buffer would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(f"The output cannot be written: {os.strerror(exc.errno)}.")


def _what_to_do(words: str) -> str:
    if "locked" in words:
        return "Another process has been writing to it for too long; try again."
    return "Where its tables are missing: manage.py bootstrap makes them."


def convert() -> None:
    """Run without settings: it translates text, and needs no key, file or database."""
    from proxyapp.management.commands.convert import Command

    Command().run_from_argv(sys.argv)


if __name__ == "__main__":
    main()
