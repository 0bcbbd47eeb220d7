"""Files that hold secrets, or that run as programs without being asked: no file tool opens them."""

from fnmatch import fnmatchcase

_PRIVATE = (
    ".env",
    ".env.*",
    ".envrc",
    ".git",
    ".git-credentials",
    ".ssh",
    ".gnupg",
    ".aws",
    ".netrc",
    ".npmrc",
    ".pypirc",
    "id_rsa",
    "id_ecdsa",
    "id_ed25519",
    "*.pem",
    "*.key",
    "*.p12",
)
_EXAMPLES = (".env.example", ".env.sample", ".env.template")
_NOISE = ("__pycache__", "node_modules")


def is_private(name: str) -> bool:
    """Whether a file or folder of this name stays closed; case is ignored, as some file systems do."""
    lower = name.lower()
    return lower not in _EXAMPLES and any(fnmatchcase(lower, pattern) for pattern in _PRIVATE)


def is_hidden(name: str) -> bool:
    """Whether a listing leaves it out unless asked: dot files, and folders that programs fill."""
    return name.startswith(".") or name in _NOISE
