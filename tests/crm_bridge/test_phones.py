import pytest

from crm_bridge import phones


@pytest.mark.parametrize(
    "written",
    [
        "0934890883",
        "0934 890 883",
        "+84 934 890 883",
        "84934890883",
        "0084934890883",
        "(093) 489-0883",
        "093.489.0883",
        "+84\u00a0934\u2011890\u2011883",
    ],
)
def test_every_way_of_writing_a_number_is_one_number(written):
    assert phones.to_e164(written) == "+84934890883"


@pytest.mark.parametrize("written", ["", "abc", "12", "0123456789", "99999999999999999999", "093489088"])
def test_what_is_no_number_has_no_e164(written):
    assert phones.to_e164(written) == ""


def test_land_lines_and_foreign_numbers_go_through_the_library():
    assert phones.to_e164("028 3822 1234") == "+842838221234"
    assert phones.to_e164("+1 415 555 2671") == "+14155552671"


def test_fast_path_agrees_with_the_library():
    import phonenumbers

    for start in range(2000, 10_000, 7):
        written = f"0{start}34567"
        number = phonenumbers.parse(written, "VN")
        expected = (
            phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            if phonenumbers.is_valid_number(number)
            else ""
        )
        assert phones.to_e164(written) == expected, written


def test_digits_of_other_scripts_are_read_as_digits():
    assert phones.digits("０９３４ 890") == "0934890"


def test_numbers_are_shown_as_people_at_home_write_them():
    assert phones.display("84934890883", "+84934890883") == "0934 890 883"
    assert phones.display("4155552671", "+14155552671") == "+1 415-555-2671"
    assert phones.display("ext. 12", "") == "ext. 12"
