"""Our own tables and functions in the log's database, beside Message DB's; for whoever may install them."""

from importlib.resources import files
from typing import Final

VERSION: Final = 5
"""Goes up by one whenever the text of `FUNCTIONS` changes in a release; a test knows the digest of each."""

_FILES = (
    "append_batch.sql",
    "append_undisputed.sql",
    "artifacts.sql",
    "snapshots.sql",
    "consumers.sql",
    "deliveries.sql",
    "ledger.sql",
    "budgets.sql",
    "circuits.sql",
    "gates.sql",
)

FUNCTIONS: Final = "\n".join((files(__name__) / name).read_text(encoding="utf-8") for name in _FILES)
"""Makes them, or replaces those of an older version."""
