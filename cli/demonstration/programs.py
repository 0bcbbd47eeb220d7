"""Programs of this installation, as their names can be typed here."""

import os
import shlex
import shutil
import sysconfig
from pathlib import Path


def short(program: Path) -> str:
    """The shortest name by which the program is found: bare where PATH leads to it, else its path."""
    found = shutil.which(program.name)
    if found is not None and Path(found).resolve() == program.resolve():
        return program.name
    relative = os.path.relpath(program)
    return str(program) if relative.startswith("..") else relative


def perdure(config: Path | None) -> str:
    """How `perdure` is called here, with the configuration it is called with."""
    program = Path(sysconfig.get_path("scripts"), "perdure")
    name = short(program) if program.exists() else "perdure"
    words = [name] if config is None else [name, "--config", str(config)]
    return shlex.join(words)
