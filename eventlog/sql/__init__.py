"""Our own functions in the log's database, beside Message DB's; for whoever may install them."""

from importlib.resources import files
from typing import Final

VERSION: Final = 1
"""Goes up by one whenever the text of `FUNCTIONS` changes; a test knows the digest of each."""

FUNCTIONS: Final = (files(__name__) / "append_batch.sql").read_text(encoding="utf-8")
"""Makes them, or replaces those of an older version."""
