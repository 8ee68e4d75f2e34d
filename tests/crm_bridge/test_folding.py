import pytest

from crm_bridge.folding import fold, search_text


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Nguyễn  Văn Đức", "nguyen van duc"),
        ("ĐẶNG THỊ ƯỚC", "dang thi uoc"),
        ("Nguyễn", "nguyen"),
        ("An@Example.COM", "an@example.com"),
        ("Straße", "strasse"),
        ("", ""),
    ],
)
def test_folding_drops_case_diacritics_and_extra_space(text, folded):
    assert fold(text) == folded


def test_composed_and_decomposed_text_fold_alike():
    assert fold("Trần Hữu") == fold("Trần Hữu".encode().decode()) == "tran huu"


def test_search_text_holds_name_digits_and_addresses():
    text = search_text("Lý Công Yên", [("0934 890 883", "+84934890883"), ("máy 12", "")], ["Yen@Example.com"])
    assert text == "ly cong yen\n84934890883\n12\nyen@example.com"
