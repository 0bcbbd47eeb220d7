"""A person's answer is understood where it plainly means the right thing, and else refused in words."""

import json
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.inquiries import MOST_BYTES, Inquiry
from projections.human_answers import Understood, WrongAnswer, expectation, in_words, understand
from projections.uploads import MOST_BYTES_OF_TEXT, RefusedFile, Upload, check_upload, shown

CONFIRM = Inquiry(action="confirm", question="Go on?")
CHOOSE = Inquiry(action="choose", question="Which?", options=("red", "blue", "3", "Red "))
SEVERAL = Inquiry(action="choose", question="Which?", options=("red", "blue", "green"), several=True)
TEXT = Inquiry(action="input", question="Name?")
FORM = Inquiry(action="input", question="Seats?", form={"type": "object", "required": ["seats"]})
UPLOAD = Inquiry(action="upload", question="Figures?")
REVIEW = Inquiry(action="review", question="Good?", subject="Dear Sir")
INQUIRIES = (CONFIRM, CHOOSE, SEVERAL, TEXT, FORM, UPLOAD, REVIEW)

UNDERSTOOD: list[tuple[Inquiry, Any, Any]] = [
    (CONFIRM, True, True),
    (CONFIRM, " YES ", True),
    (CONFIRM, "n", False),
    (CHOOSE, "blue", "blue"),
    (CHOOSE, "BLUE", "blue"),
    (CHOOSE, 2, "blue"),
    (CHOOSE, " 2 ", "blue"),
    (CHOOSE, "3", "3"),
    (CHOOSE, 3, "3"),
    (SEVERAL, "blue", ["blue"]),
    (SEVERAL, [], []),
    (SEVERAL, ["green", 1, "1"], ["red", "green"]),
    (TEXT, "Ana ", "Ana "),
    (TEXT, 17, "17"),
    (FORM, {"seats": 2}, {"seats": 2}),
    (FORM, '{"seats": 2}', {"seats": 2}),
    (REVIEW, "accept", "Dear Sir"),
    (REVIEW, {"verdict": "replace", "text": "Dear Bo"}, "Dear Bo"),
    (REVIEW, {"verdict": "send_back", "comments": "too stiff"}, None),
]


@pytest.mark.parametrize(("inquiry", "given_", "meant"), UNDERSTOOD)
def test_what_plainly_means_something_is_understood(inquiry: Inquiry, given_: Any, meant: Any) -> None:
    """By hand, from a terminal or from a program."""
    assert understand(inquiry, given_).value == meant


WRONG: list[tuple[Inquiry, Any, str]] = [
    (CONFIRM, "maybe", "yes or no"),
    (CONFIRM, 1, "yes or no"),
    (CHOOSE, "redd", '"red", "blue"'),
    (CHOOSE, 0, "one of"),
    (CHOOSE, 5, "one of"),
    (CHOOSE, True, "one of"),
    (CHOOSE, ["red"], "one of"),
    (SEVERAL, ["red", "violet"], "any of"),
    (TEXT, " ", "text"),
    (TEXT, {"a": 1}, "text"),
    (TEXT, None, "nothing is no answer"),
    (FORM, {}, "'seats' is a required property"),
    (FORM, "{", "not of type 'object'"),
    (UPLOAD, "report.pdf", "a file"),
    (REVIEW, "fine", "accept"),
    (REVIEW, {"verdict": "replace"}, "replace needs 'text'"),
    (REVIEW, {"verdict": "send_back", "comments": " "}, "send_back needs 'comments'"),
]


@pytest.mark.parametrize(("inquiry", "given_", "words"), WRONG)
def test_what_means_nothing_is_refused_in_words(inquiry: Inquiry, given_: Any, words: str) -> None:
    """They say what is expected."""
    with pytest.raises(WrongAnswer) as caught:
        understand(inquiry, given_)
    assert words in str(caught.value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
LIKELY = st.sampled_from(("yes", "red", "accept", 1, ["red"], {"seats": 1}, {"verdict": "replace", "text": "x"}))


@given(st.sampled_from(INQUIRIES), ANYTHING | LIKELY)
def test_any_answer_is_understood_or_refused(inquiry: Inquiry, given_: Any) -> None:
    """Whatever is sent, it means one of the things that were asked for, or is told to be wrong, in a line or a few."""
    understood, refused = meaning(inquiry, given_)
    if understood is None:
        assert 0 < len(refused) < 2_500
        return
    assert json.loads(json.dumps(understood.value)) == understood.value
    assert in_words(inquiry.action, understood.value, understood.verdict)
    if inquiry.action == "choose":
        chosen = understood.value if inquiry.several else [understood.value]
        assert set(chosen) <= set(inquiry.options)
    assert expectation(inquiry)


def meaning(inquiry: Inquiry, given_: Any) -> tuple[Understood | None, str]:
    """What the answer means, or why it means nothing."""
    try:
        return understand(inquiry, given_), ""
    except WrongAnswer as error:
        return None, str(error)


@given(st.sampled_from(INQUIRIES), ANYTHING | LIKELY)
def test_what_was_understood_is_understood_again(inquiry: Inquiry, given_: Any) -> None:
    """An answer as it is kept means the same when it is given; of a review, which is kept otherwise, its text."""
    meant, _ = meaning(inquiry, given_)
    if meant is not None and inquiry.action != "review":
        assert understand(inquiry, meant.value).value == meant.value


def test_a_form_that_turns_in_circles_is_no_trap() -> None:
    """An answer that is nested beyond all measure is refused, and so is a form that refers to itself for ever."""
    endless = Inquiry(action="input", question="?", form={"$ref": "#"})
    with pytest.raises(WrongAnswer, match="too deeply"):
        understand(endless, {"a": 1})


PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.mark.parametrize(
    ("name", "data", "media_type", "block"),
    [
        ("a.csv", b"1,2\n", "text/csv", "text"),
        ("a", "größe".encode(), "text/plain", "text"),
        ("lies.txt", PNG, "image/png", "image"),
        ("a.pdf", b"%PDF-1.7 ...", "application/pdf", "document"),
        ("a.json", b"{}", "application/json", "text"),
    ],
)
def test_a_file_is_what_is_in_it(name: str, data: bytes, media_type: str, block: str) -> None:
    """Its name is not believed; the model is shown what it can read."""
    upload = Upload(name, data)
    check_upload(upload, (), None)
    assert upload.media_type == media_type
    assert [each["type"] for each in shown(upload)] == [block]


@pytest.mark.parametrize(
    ("upload", "accept", "most", "words"),
    [
        (Upload("a.txt", b"x" * 11), (), 10, "10 at most"),
        (Upload("a.png", b"x" * (MOST_BYTES + 1)), (), None, "at most are taken"),
        (Upload("a.txt", b"x"), ("image/*", ".csv"), None, "expected: image/*, .csv"),
        (Upload("a.csv", PNG), ("text/csv",), None, "a.csv is image/png"),
        (Upload("a.bin", b"\0\1"), (), None, "neither text nor a picture"),
        (Upload("a.txt", b"x" * (MOST_BYTES_OF_TEXT + 1)), (), None, "put it into the workspace"),
    ],
)
def test_a_file_that_is_not_wanted_is_refused(
    upload: Upload, accept: tuple[str, ...], most: int | None, words: str
) -> None:
    """Too large, of another kind, or nothing that the model could read."""
    with pytest.raises(RefusedFile) as caught:
        check_upload(upload, accept, most)
    assert words in str(caught.value)


def test_a_file_of_the_workspace_may_be_anything() -> None:
    """What the model cannot read itself, tools can: it is told where it is."""
    upload = Upload("raw.bin", b"\0\1", "in/raw.bin")
    check_upload(upload, (), None)
    assert shown(upload) == ()
    assert in_words("upload", upload.told) == (
        "raw.bin (application/octet-stream, 2 bytes, in the workspace as in/raw.bin)"
    )


@given(st.binary(max_size=400), st.text(max_size=20))
def test_any_file_is_taken_or_refused(data: bytes, name: str) -> None:
    """Whatever its bytes and its name are, and what is shown of it is JSON."""
    upload = Upload(name, data)
    try:
        check_upload(upload, (), None)
    except RefusedFile:
        return
    json.dumps([upload.told, *shown(upload)])
