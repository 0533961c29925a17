from __future__ import annotations

import time
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.text.redact import find_personal_data, iban, luhn, redact, resident_id


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("mail john.doe+x@example.co.uk, please", "mail [EMAIL], please"),
        ("联系a@b.cn或客服", "联系[EMAIL]或客服"),
        ("call 415-555-2671 or (415) 555-2671 or 1-800-555-0199.", "call [PHONE] or [PHONE] or [PHONE]."),
        ("+1 415 555 2671, +86 138 1234 5678, +442079460958", "[PHONE], [PHONE], [PHONE]"),
        ("手机13812345678，电话010-65551234，(021) 6555 1234", "手机[PHONE]，电话[PHONE]，[PHONE]"),
        ("13812345678,13912345678", "[PHONE],[PHONE]"),
        ("call me at 4155552671", "call me at [PHONE]"),
        ("0044 20 7946 0958 and 020 7946 0958", "[PHONE] and [PHONE]"),
        ("热线400-820-8820", "热线[PHONE]"),
        ("card 4111 1111 1111 1111 exp 12/25", "card [CARD] exp 12/25"),
        ("5500-0000-0000-0004 or 378282246310005", "[CARD] or [CARD]"),
        ("身份证11010519491231002X。", "身份证[CN_ID]。"),
        ("IBAN DE89 3704 0044 0532 0130 00 THE END", "IBAN [IBAN] THE END"),
        ("GB82WEST12345698765432", "[IBAN]"),
    ],
)
def test_personal_data_becomes_placeholders(text: str, redacted: str) -> None:
    assert redact(text) == redacted
    assert redact(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "On 2021-05-12 at 10:30 you paid $1,234,567.89",
        "12.05.2021, 05/12/2021, 2021年5月12日",
        "order number 113542617735902",
        "订单号13812345678",
        "order #415-555-2671",
        "SKU 00-1234-5678, model X-100-2000, version 2.10.300",
        "account 1234567890 holds 1000000",
        "192.168.100.200",
        "3.14159265358",
        "ISBN 978-3-16-148410-0",
        "20210512123045",
        "+3.5% and +1000000",
        "4111 1111 1111 1112",
        "110105194912310021",
        "DE89 3704 0044 0532 0130 01",
        "open_bank_account_4821@",
        "",
    ],
)
def test_dates_amounts_and_product_and_order_numbers_stay(text: str) -> None:
    assert redact(text) == text


def with_check_digit(digits: str) -> str:
    return next(digits + str(check) for check in range(10) if luhn(digits + str(check)))


@settings(deadline=None)
@given(st.text("0123456789", min_size=14, max_size=14), st.sampled_from(["", " ", "-"]))
def test_every_valid_card_number_is_found_however_it_is_grouped(digits: str, gap: str) -> None:
    number = with_check_digit("4" + digits)
    written = gap.join(number[i : i + 4] for i in range(0, 16, 4))
    assert redact(f"pay with {written} now") == "pay with [CARD] now"


@settings(deadline=None)
@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.integers(0, 999), st.integers(110000, 659999))
def test_every_valid_resident_id_is_found_and_a_wrong_check_digit_is_not(born: date, order: int, region: int) -> None:
    body = f"{region}{born:%Y%m%d}{order:03d}"
    right = next(body + c for c in "0123456789X" if resident_id(body + c))
    wrong = body + ("0" if right[-1] != "0" else "1")
    assert redact(f"证件{right}号") == "证件[CN_ID]号"
    assert "[CN_ID]" not in redact(f"证件{wrong}号")


@settings(deadline=None)
@given(st.text("0123456789", min_size=18, max_size=18))
def test_every_valid_german_iban_is_found(account: str) -> None:
    value = next(f"DE{check:02d}{account}" for check in range(2, 99) if iban(f"DE{check:02d}{account}"))
    assert redact(f"to {value}.") == "to [IBAN]."
    grouped = " ".join(value[i : i + 4] for i in range(0, len(value), 4))
    assert redact(f"to {grouped}.") == "to [IBAN]."


@settings(deadline=None)
@given(st.from_regex(r"[a-z0-9]([a-z0-9._+-]{0,20}[a-z0-9])?@([a-z0-9]{1,10}\.){1,3}[a-z]{2,6}", fullmatch=True))
def test_every_email_address_is_found(address: str) -> None:
    assert redact(f"write to {address}, please") == "write to [EMAIL], please"


@settings(deadline=None)
@given(st.integers(3, 9), st.integers(0, 10**8 - 1), st.sampled_from(["{}", "+86{}", "+86 {}", "手机：{}。"]))
def test_every_chinese_mobile_number_is_found(second: int, rest: int, form: str) -> None:
    number = f"1{second}{rest // 10 % 10}{rest:08d}"
    assert (
        redact(f"致 {form.format(number)}")
        == f"致 {form.replace('+86 {}', '{}').replace('+86{}', '{}').format('[PHONE]')}"
    )


@settings(deadline=None)
@given(
    st.dates(), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d", "%Y年%m月%d日", "%Y-%m-%dT10:30:00Z"])
)
def test_no_date_is_ever_redacted(day: date, form: str) -> None:
    text = f"due on {day.strftime(form)} at noon"
    assert redact(text) == text


@settings(deadline=None)
@given(st.integers(0, 10**12), st.sampled_from(["${:,}", "${:,}.50", "€{}", "{:,} USD", "¥{:,}元", "{}.25%"]))
def test_no_amount_is_ever_redacted(amount: int, form: str) -> None:
    text = f"it costs {form.format(amount)} a year"
    assert redact(text) == text


@settings(deadline=None)
@given(st.text(alphabet="0123456789 -+@.aZ号()[]电话", max_size=80))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
    found = find_personal_data(text)
    assert all(a.end <= b.start for a, b in pairwise(found))


@pytest.mark.parametrize("piece", ["1 ", "a@", "+1", "4111 ", "DE89 ", "0", "(0", "call ", "1-"])
def test_hostile_texts_take_no_quadratic_time(piece: str) -> None:
    started = time.perf_counter()
    redact(piece * 50_000)
    assert time.perf_counter() - started < 5
