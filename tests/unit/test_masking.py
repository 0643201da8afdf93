"""What is masked in free text, and what is left alone."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickwise.errors import ConfigurationError
from clickwise.items import parse_item
from clickwise.masking import find, masked, masking_of
from tests.site import NOW

MASKED = [
    # e-mail
    ("write to ann.lee+news@mail.example.co.uk now", "write to [email] now"),
    ("<ann@example.com>, bob@example.org.", "<[email]>, [email]."),
    ("Schreib an jörg.müller@käse.de!", "Schreib an [email]!"),
    ("邮箱ann@example.com谢谢", "邮箱[email]谢谢"),
    ("联系 用户@例子.公司 吧", "联系 [email] 吧"),
    ("full width: ann＠example．com", "full width: [email]"),
    ("Пишите: иван@пример.рф", "Пишите: [email]"),
    # phones
    ("call +49 (0)30 1234567 today", "call [phone] today"),
    ("+1-415-555-2671", "[phone]"),
    ("+14155552671", "[phone]"),
    ("(415) 555-2671", "[phone]"),
    ("415-555-2671 or 415.555.2671", "[phone] or [phone]"),
    ("0049 30 1234567", "[phone]"),
    ("Ruf 0171 1234567 an", "Ruf [phone] an"),
    ("appelez le 06 12 34 56 78", "appelez le [phone]"),
    ("06.12.34.56.78", "[phone]"),
    ("電話：090-1234-5678", "電話：[phone]"),
    ("手机13812345678，谢谢", "手机[phone]，谢谢"),
    ("微信同号 138 1234 5678", "微信同号 [phone]"),
    ("Телефон: 8 (912) 345-67-89", "Телефон: [phone]"),
    ("+７ ９１２ ３４５ ６７ ８９", "[phone]"),
    ("هاتف: ٠١٢٣٤٥٦٧٨٩", "هاتف: [phone]"),
    ("फ़ोन: ९८७६५४३२१०", "फ़ोन: [phone]"),
    ("tel 5551234", "tel [phone]"),
    ("+44 20\u00a07946\u20110958", "[phone]"),
    ("+4\u200b4 20 7946 0958", "[phone]"),
    # cards
    ("card 4111 1111 1111 1111 exp 12/27", "card [card] exp 12/27"),
    ("4111111111111111", "[card]"),
    ("5500-0000-0000-0004", "[card]"),
    ("3782 822463 10005", "[card]"),
    ("银行卡6222020000000000008", "银行卡6222020000000000008"),  # no such check digit
    ("４１１１ １１１１ １１１１ １１１１", "[card]"),
    ("٤١١١١١١١١١١١١١١١", "[card]"),
    ("my card is 4111 1111 1111 1111 12", "my card is [card] 12"),
]

LEFT_ALONE = [
    "EUR 1,234,567.89 or 1.234.567,89 or $1 234 567",
    "12,345,678 people", "1234567 views", "1 234 567 890 views",
    "2026-11-27", "27.11.2026", "27/11/2026", "20261127", "2026-11-27 12:30:45.123456",
    "2026-11-27T12:30:45Z", "1795000000", "1795000000123", "1939-1945",
    "ISBN 978-3-16-148410-0", "ISBN 9783161484100", "ISBN 0-306-40615-2", "ISSN 2049-3630",
    "EAN 4006381333931", "item SKU-0012345678", "sku 12345678901", "order #100200300400",
    "4111 1111 1111 1112", "1234 5678 9012 3456", "0000 0000 0000 0000",
    "https://example.com/news/4155552671?id=13812345678", "v1.22.333.4444", "192.168.100.200",
    "10.1038/s41586-020-2649-2", "50.1109, 8.6821", "3.14159265358979",
    "@ann at 5 @ 10.50", "mail me @ home", "a@b", "2+2=4", "+5 %", "+100 000 EUR?",
    "550e8400-e29b-41d4-a716-446655440000", "第13812345678901号", "room 0123", "call 911",
    "2026/27", "100-200-300", "007", "5-4-3-2-1", "90/60/90", "24/7", "0800", "1:0 (0:0)",
    "1000000000000066600000000000001",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MASKED, ids=[text for text, _ in MASKED])
def test_what_leads_to_a_person_is_masked(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_other_numbers_stay(text: str) -> None:
    assert masked(text) == text


@given(st.text(max_size=300))
def test_masking_twice_is_masking_once(text: str) -> None:
    once = masked(text)

    assert masked(once) == once


@given(
    st.text(max_size=100).filter(lambda text: not any(map(str.isdigit, text)) and "@" not in text)
)
def test_words_without_digits_stay(text: str) -> None:
    assert not [one for one in find(text) if one.kind != "email"]


@given(
    st.lists(st.text(" \n.,;!?абв汉字é", max_size=6), min_size=2, max_size=5),
    st.from_regex(r"[a-z][a-z0-9]{0,9}(\.[a-z0-9]{1,5})?@[a-z]{1,9}\.(com|org|de)", fullmatch=True),
)
def test_an_address_between_other_words_leaves_no_trace(words: list[str], address: str) -> None:
    text = f" {address} ".join(words)

    assert address not in masked(text)
    assert masked(text).count("[email]") == len(words) - 1


def _with_check_digit(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


@given(
    st.text(string.digits, min_size=14, max_size=14),
    st.sampled_from(["", " ", "-", "\u00a0", "\u2011"]),
    st.sampled_from(["0", "\u0660", "\u0966", "\uff10"]),
)
def test_a_card_is_masked_in_every_script_and_grouping(rest: str, gap: str, zero: str) -> None:
    card = _with_check_digit("4" + rest)
    written = "".join(chr(ord(zero) + int(digit)) for digit in card)
    grouped = gap.join(written[i : i + 4] for i in range(0, 16, 4))

    assert masked(f"a {grouped} b") == "a [card] b"


@given(st.text(string.digits + " -.+()@", max_size=3_000))
def test_any_run_of_digits_and_marks_is_done_with_soon_and_only_shortened(text: str) -> None:
    assert len(masked(text)) <= len(text) + 3 * len(find(text))


def test_an_items_own_fields_are_masked_and_stay_within_their_limits() -> None:
    data = {"id": "i1", "kind": "ad", "title": "Bike, a@b.co", "body": "Call +49 30 1234567"}
    item = parse_item(data, received=NOW)[0]
    long = parse_item({**data, "title": "a@b.co " * 142 + "a@b.co"}, received=NOW)[0]

    both = masking_of("title, body").item(item)

    assert (both.title, both.body, both.id) == ("Bike, [email]", "Call [phone]", "i1")
    assert masking_of("body").item(item).title == item.title
    assert masking_of("").item(item) is item
    assert len(masking_of("title").item(long).title) <= 1_000


def test_a_field_that_items_do_not_have_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected title, body"):
        masking_of("title,comment")
