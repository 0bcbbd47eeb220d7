"""A question put to a person: what kind of answer it wants, and by what that is measured."""

from typing import Annotated, Literal

from eventlog.facts import ContentMark, Facts, MaybeJson, Text, Words

InputAction = Literal["confirm", "choose", "input", "upload", "review"]
"""Yes or no; one of some options; text or a form; a file; a word on something before it is used."""
Verdict = Literal["accept", "replace", "send_back"]
"""What becomes of something that was reviewed: use it, use the reviewer's instead, or make it anew."""

MOST_BYTES = 3_750_000
"""Of a file that is handed in: what a provider takes in one picture, before base64 makes it a third longer."""


class Inquiry(Facts):
    """What a person is asked."""

    action: InputAction
    question: str
    """One line."""
    details: Text = ""
    """Whatever else they must know to answer, over as many lines as it needs."""
    options: Annotated[tuple[str, ...], ContentMark(())] = ()
    """What can be chosen."""
    several: Annotated[bool, ContentMark(empty=False)] = False
    """Whether more than one option may be chosen, or none."""
    form: MaybeJson = None
    """The JSON Schema that the input must fit; without one it is free text."""
    accept: Annotated[tuple[str, ...], ContentMark(())] = ()
    """Which files are taken: `text/csv`, `image/*`, `.pdf`; empty for all that a model can read."""
    most_bytes: Annotated[int | None, ContentMark(None)] = None
    """How large a file may be, where that is less than any file may be."""
    subject: Words = None
    """What is reviewed."""
