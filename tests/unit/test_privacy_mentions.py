"""Whether bytes that are no message speak of a user."""

import pytest

from clickwise.privacy.mentions import mentions


@pytest.mark.parametrize(
    ("content", "user"),
    [
        (b"ann", "ann"),
        (b'{"user": "ann", "broken', "ann"),
        (b"{'user': 'ann'}", "ann"),
        (b'{"user": 17}', "17"),
        (b'{"user": "\\u79d1\\u6280"}', "\u79d1\u6280"),
        (b'{"user": "a\\"b"}', 'a"b'),
        ('{"user": "\u79d1\u6280"}'.encode(), "\u79d1\u6280"),
        (b"GET /v1/users/rosalind-ellery HTTP/1.1", "rosalind-ellery"),
        (b"\xff\x00user=rosalind-ellery;\xff", "rosalind-ellery"),
    ],
)
def test_an_id_is_found_in_whatever_was_sent(content: bytes, user: str) -> None:
    assert mentions(content, user.__eq__)


@pytest.mark.parametrize(
    ("content", "user"),
    [
        (b'{"user": "anna"}', "ann"),
        (b'{"position": 17, "user": "bob"}', "17"),
        (b"users/rosalind-ellery-2", "rosalind-ellery"),
    ],
)
def test_another_id_that_has_it_inside_is_not_taken_for_it(content: bytes, user: str) -> None:
    assert not mentions(content, user.__eq__)
