"""Gives a PostgreSQL that stands already its Message DB: `python -m stack.provision`, as often as you like.

`MESSAGE_DB_ADMIN_URL` names the database and a role that may create roles and schemas in it;
`MESSAGE_STORE_PASSWORD` becomes the password of the restricted role that Perdure writes as.
"""

import asyncio
import os
import sys

from stack.errors import StackError
from stack.home import cache_folder
from stack.messagedb import install

ADMIN_URL = "MESSAGE_DB_ADMIN_URL"
PASSWORD = "MESSAGE_STORE_PASSWORD"  # noqa: S105 - the name of a variable


def main() -> int:
    """Install it; the exit code."""
    admin_url = os.environ.get(ADMIN_URL)
    if not admin_url:
        sys.stderr.write(f"Set {ADMIN_URL}, as in postgresql://postgres:password@host:5432/message_store\n")
        return 2
    try:
        version = asyncio.run(install(admin_url, cache_folder(), os.environ.get(PASSWORD)))
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"Message DB {version} is installed.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
