"""Programs that try to get out of the sandbox, or to harm whoever runs them, and what must become of each."""

from dataclasses import dataclass

from tools.sandbox.sandbox import Limit


@dataclass(frozen=True)
class Attack:
    """A program, and what stops it."""

    name: str
    code: str
    refused: str = ""
    """What the traceback says."""
    reached: Limit | None = None
    """Or the limit that ends it."""


ATTACKS = (
    Attack("connect", "import socket\nsocket.create_connection(('127.0.0.1', 22))", "No module named 'socket'"),
    Attack("fetch", "import urllib.request\nurllib.request.urlopen('http://127.0.0.1')", "No module named 'urllib"),
    Attack("async connect", "import asyncio\nasyncio.open_connection('127.0.0.1', 22)", "no attribute"),
    Attack("passwords", "open('/etc/passwd').read()", "Permission denied"),
    Attack("path object", "from pathlib import Path\nPath('/etc/passwd').read_text()", "Permission denied"),
    Attack("parent folders", "open('../../../../../etc/passwd').read()", "Permission denied"),
    Attack("parent folders inside", "open('/folder/../etc/passwd').read()", "Permission denied"),
    Attack("link to a file", "open('passwords').read()", "Permission denied"),
    Attack("link to a folder", "open('system/passwd').read()", "Permission denied"),
    Attack("list a link", "import os\nos.listdir('system')", "Permission denied"),
    Attack("make a link", "import os\nos.symlink('/etc', 'etc')", "no attribute 'symlink'"),
    Attack("make a hard link", "import os\nos.link('/etc/passwd', 'x')", "no attribute 'link'"),
    Attack("list the root", "import os\nos.listdir('/')", "Permission denied"),
    Attack("own process", "open('/proc/self/environ').read()", "Permission denied"),
    Attack("own memory", "open('/proc/self/mem', 'rb').read(1)", "Permission denied"),
    Attack("parent process", "open('/proc/1/cmdline').read()", "Permission denied"),
    Attack("device", "open('/dev/zero', 'rb').read(10)", "Permission denied"),
    Attack("null byte in a name", "open('/etc/passwd\\x00.txt').read()", "null byte"),
    Attack("environment", "import os\nos.environ['CANARY']", "not supported"),
    Attack("one variable", "import os\nos.getenv('CANARY')", "not supported"),
    Attack("write outside", "open('/tmp/escaped', 'w').write('x')", "Permission denied"),
    Attack(
        "rename outside", "import os\nopen('a', 'w').write('x')\nos.rename('a', '/tmp/escaped')", "cross-device link"
    ),
    Attack("remove outside", "import os\nos.remove('/etc/passwd')", "Permission denied"),
    Attack("subprocess", "import subprocess\nsubprocess.run(['id'])", "No module named 'subprocess'"),
    Attack("shell", "import os\nos.system('id')", "no attribute 'system'"),
    Attack("fork bomb", "import os\nwhile True: os.fork()", "no attribute 'fork'"),
    Attack("signal to the parent", "import os\nos.kill(os.getppid(), 9)", "no attribute"),
    Attack("threads", "import threading\nthreading.Thread(target=print).start()", "No module named 'threading'"),
    Attack("foreign code", "import ctypes\nctypes.CDLL(None)", "No module named 'ctypes'"),
    Attack("garbage collector", "import gc\ngc.get_objects()", "No module named 'gc'"),
    Attack("frames", "import sys\nsys._getframe(0).f_back.f_globals", "no attribute '_getframe'"),
    Attack("import by name", "__import__('os').system('id')", "'__import__' is not defined"),
    Attack("loaders", "import importlib\nimportlib.import_module('subprocess')", "No module named 'importlib'"),
    Attack("own module", "open('evil.py', 'w').write('x = 1')\nimport evil", "No module named 'evil'"),
    Attack("the worker's modules", "from tools.sandbox import keeper", "No module named 'tools"),
    Attack("subclasses", "().__class__.__base__.__subclasses__()", "no attribute '__class__'"),
    Attack("function globals", "def f(): pass\nf.__globals__['__builtins__']", "no attribute '__globals__'"),
    Attack("format string", "'{0.__class__.__mro__}'.format(1)", "no attribute '__class__'"),
    Attack("eval", "eval(\"__import__('os').system('id')\")", "'__import__' is not defined"),
    Attack("exec", "exec('import socket')", "No module named 'socket'"),
    Attack("pickle", "import pickle\npickle.loads(b'')", "No module named 'pickle'"),
    Attack("deep recursion", "def f(): f()\nf()", "RecursionError"),
    Attack("deep nesting", "(" * 5000 + ")" * 5000, "nest"),
    Attack("long sum", "x = " + "+".join(["1"] * 30_000), "nest"),
    Attack("digits", "str(10 ** 5000)", "digits"),
    Attack("endless loop", "while True: pass", reached="cpu"),
    Attack(
        "loop that catches all",
        "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
        reached="cpu",
    ),
    Attack("long sort", "while True: sorted(range(100_000), key=lambda x: -x)", reached="cpu"),
    Attack("long sleep", "import time\ntime.sleep(3600)", reached="time"),
    Attack("many sleeps", "import time\nwhile True: time.sleep(0.2)", reached="time"),
    Attack("memory at once", "x = [0] * 10 ** 10", reached="memory"),
    Attack("memory by and by", "x = []\nwhile True: x.append('y' * 1000)", reached="memory"),
    Attack(
        "memory again and again",
        "while True:\n  try: x = 'y' * 10 ** 9\n  except BaseException: pass",
        reached="memory",
    ),
    Attack("memory for the value", "'y' * 25_000_000", reached="memory"),
    Attack("huge number", "2 ** 10 ** 10", reached="memory"),
    Attack("shifted number", "1 << 10 ** 11", reached="memory"),
    Attack("output flood", "while True: print('x' * 1000)", reached="output"),
    Attack("output at once", "print('x' * 1_000_000)", reached="output"),
    Attack("error flood", "import sys\nwhile True: print('x', file=sys.stderr)", reached="output"),
    Attack("large file", "open('a', 'w').write('x' * 5_000_000)", reached="folder"),
    Attack("many files", "n = 0\nwhile True:\n  open(str(n), 'w').write('')\n  n += 1", reached="calls"),
)
