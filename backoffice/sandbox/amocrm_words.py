"""Words amoCRM's sandbox draws from: names of its market, users, tags, field definitions."""

from typing import Any

RUSSIAN = (
    ("Иван", "Иванов"), ("Ольга", "Смирнова"), ("Дмитрий", "Кузнецов"), ("Екатерина", "Попова"),
    ("Алексей", "Соколов"), ("Наталья", "Лебедева"), ("Сергей", "Ёлкин"), ("Мария", "Щербакова"),
    ("Артём", "Фёдоров"), ("Светлана", "Жукова"), ("Павел", "Цветков"), ("Юлия", "Эйхенвальд"),
)  # fmt: skip
LATIN = (
    ("João", "Gonçalves"), ("María José", "Muñoz"), ("Peter", "Parker"), ("Lucía", "Fernández"),
    ("Thiago", "da Conceição"), ("Ana", "Peña"), ("John", "Doe"), ("Ayşe", "Yıldız"),
)  # fmt: skip
USERS = (
    (504141, "lan.nguyen@staff.example.com", "Nguyễn Thị Lan"),
    (504142, "ivan.petrov@staff.example.com", "Иван Петров"),
    (504207, "maria.silva@staff.example.com", "Maria Silva"),
    (504388, "duc.pham@staff.example.com", "Phạm Minh Đức"),
)
TAGS = (
    "VIP",
    "Hẹn gọi lại",
    "оптовик",
    "Не звонить",
    "newsletter",
    "Лид с сайта",
    "Khách sỉ",
    "cliente frío",
)
POSITIONS = ("CEO", "Директор", "Kế toán trưởng", "Compras", "Trưởng phòng", "")
SITES = ("https://shop.example.com", "http://example.ru", "javascript:alert(1)", "example.com.br")
CONTRACTS = ("HD-2025-001", "00123", "=1+1", "№ 17/б", "<b>88</b>")

PHONE, EMAIL, POSITION = 66192, 66193, 271316
CONTRACT, LIMIT, CHECKED, RENEWAL, RANK, CHANNELS, GENDER, SITE, REMARK, LAST_CALL, BIRTHDAY, PLACE = range(
    300101, 300113
)


def _enums(first: int, values: tuple[str, ...], codes: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return [
        {"id": first + number, "value": value, "sort": (number + 1) * 10}
        | ({"code": codes[number]} if codes else {})
        for number, value in enumerate(values)
    ]


_PHONE_CODES = ("WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER")
_EMAIL_CODES = ("WORK", "PRIV", "OTHER")
#: id, name, code, type, enums; ids differ per account, so no client may know them by heart
FIELDS: tuple[tuple[int, str, str | None, str, list[dict[str, Any]]], ...] = (
    (POSITION, "Position", "POSITION", "text", []),
    (PHONE, "Phone", "PHONE", "multitext", _enums(175761, _PHONE_CODES, _PHONE_CODES)),
    (EMAIL, "Email", "EMAIL", "multitext", _enums(175771, _EMAIL_CODES, _EMAIL_CODES)),
    (CONTRACT, "Mã hợp đồng", None, "text", []),
    (LIMIT, "Hạn mức công nợ", None, "numeric", []),
    (CHECKED, "Đã xác minh", None, "checkbox", []),
    (RENEWAL, "Ngày gia hạn", None, "date", []),
    (RANK, "Hạng khách", None, "select", _enums(410010, ("Bạc", "Vàng", "Kim cương"))),
    (CHANNELS, "Каналы связи", None, "multiselect", _enums(410020, ("Zalo", "Telegram", "WhatsApp", "SMS"))),
    (GENDER, "Пол", None, "radiobutton", _enums(410030, ("мужской", "женский"))),
    (SITE, "Website", None, "url", []),
    (REMARK, "Ghi chú", None, "textarea", []),
    (LAST_CALL, "Последний звонок", None, "date_time", []),
    (BIRTHDAY, "День рождения", None, "birthday", []),
    (PLACE, "Адрес", None, "smart_address", []),
)  # fmt: skip


def definition(number: int) -> dict[str, Any] | None:
    """The definition of a field as the API lists it; None when there is none."""
    found = next((each for each in FIELDS if each[0] == number), None)
    if found is None:
        return None
    number, name, code, kind, enums = found
    return {
        "id": number,
        "name": name,
        "type": kind,
        "account_id": ACCOUNT_ID,
        "code": code,
        "sort": 500 + number % 1000,
        "is_api_only": False,
        "enums": enums or None,
        "group_id": None,
        "required_statuses": [],
        "is_deletable": code is None,
        "is_predefined": code is not None,
        "entity_type": "contacts",
        "tracking_callback": None,
        "remind": None,
        "triggers": [],
    }


ACCOUNT_ID = 28805383
IDS_BY_CODE = {code: number for number, _name, code, _kind, _enums in FIELDS if code}
NAMES = {number: name for number, name, *_rest in FIELDS}
CODES = {number: code for number, _name, code, *_rest in FIELDS}
TYPES = {number: kind for number, _name, _code, kind, _enums in FIELDS}
ENUMS = {number: enums for number, _name, _code, _kind, enums in FIELDS}
