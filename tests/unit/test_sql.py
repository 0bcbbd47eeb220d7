"""Our functions in the database have a version, and it is told by their text."""

import hashlib

from eventlog.sql import FUNCTIONS, VERSION

DIGESTS = {
    1: "5e84c90a897406c0c0ca97506fb4b0490fa724287be6b91c104006204ee245b7",
    2: "b220cdae104f4c547180d8255951c27fd818e5329e8d68a0bf3692244dffbc37",
    3: "b85df9c3a80437e23621421d47e100f5b0befce3902c4972680b9cd340e5d38e",
    4: "cfdb489cf41735ec54f25e4283c82d52569b91353c299d5f5fd47c385ab4f877",
    5: "62423f3e24eaf55929924a60561634dc41d36445b98b600a00e476ab94b11169",
}
"""Of every version ever released: databases have them, and only a higher number replaces them."""


def test_another_text_has_another_version() -> None:
    """Whoever changes the functions raises `VERSION` and adds the new digest here."""
    assert hashlib.sha256(FUNCTIONS.encode()).hexdigest() == DIGESTS[VERSION]
    assert max(DIGESTS) == VERSION
