"""The tools every worker has.

The time, arithmetic, an echo, the files of the workspace, Python in a sandbox, and a question to a person.
"""

from tools.builtin.asking import ask_human
from tools.builtin.calculator import calculate
from tools.builtin.clock import get_current_time
from tools.builtin.code import run_python
from tools.builtin.echo import echo
from tools.builtin.listing import list_files
from tools.builtin.reading import read_file
from tools.builtin.search import search_files
from tools.builtin.writing import write_file

__all__ = [
    "ask_human",
    "calculate",
    "echo",
    "get_current_time",
    "list_files",
    "read_file",
    "run_python",
    "search_files",
    "write_file",
]
