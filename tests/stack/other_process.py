"""Another process that starts or attaches to a system and prints its addresses: `HOME [kill]`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from stack.addresses import Options
from stack.stack import up


async def main(home: Path, *, die: bool) -> None:
    """Bring the system up; then end, or be killed."""
    stack = await up(Options(home=home))
    sys.stdout.write(stack.addresses.model_dump_json())
    sys.stdout.flush()
    if die:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), die="kill" in sys.argv))
