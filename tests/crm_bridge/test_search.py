"""Any scrap finds the contact; pages follow each other without gaps; nothing scans."""

from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm_bridge import browse, choices
from crm_bridge.browse import Browser, Place, TooDeep
from crm_bridge.marking import Marker
from crm_bridge.models import Contact
from crm_bridge.search import Search
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return factories.connection()


@pytest.fixture
def people(account):
    def add(name, phones=(), emails=(), **fields):
        values = {
            "name": name,
            "phones": [{"value": value, "type": ""} for value in phones],
            "emails": [{"value": value, "type": ""} for value in emails],
        }
        return factories.contact(account, values=values, **fields)

    return {
        "an": add("Nguyễn Văn An", ["0934 890 883"], ["an@example.vn"]),
        "yen": add("Lý Công Yến", ["(028) 3822 9999"], ["yen.ly@mail.example"]),
        "duc": add("Đỗ Đức", ["+84 912 345 678"]),
        "odd": add("100%_sure O'Brien", ["0909"], ["weird+tag@example.com"]),
        "guyen": add("Peter Guyenson"),
    }


def found(text, way=""):
    live = Contact.objects.live()
    browser = Browser(live, walk=live, search=Search(text), way=way)
    names = {row.pk: row.name for row in live}
    return {names[pk] for pk in browser.first(50).ids}


@pytest.mark.parametrize("walk", [browse.WALK, 0], ids=["walking", "by index"])
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("890883", {"Nguyễn Văn An"}),
        ("0883", {"Nguyễn Văn An"}),
        ("0934890883", {"Nguyễn Văn An"}),
        ("+84 934", {"Nguyễn Văn An"}),
        ("+84-934-890-883", {"Nguyễn Văn An"}),
        ("0084 934 890 883", {"Nguyễn Văn An"}),
        ("84934890883", {"Nguyễn Văn An"}),
        ("0934", {"Nguyễn Văn An"}),
        ("(093)", {"Nguyễn Văn An"}),
        ("34 89", {"Nguyễn Văn An"}),
        ("0912.345", {"Đỗ Đức"}),
        ("9999", {"Lý Công Yến"}),
        ("nguyen van", {"Nguyễn Văn An"}),
        ("NGUYỄN  VĂN", {"Nguyễn Văn An"}),
        ("an nguyen", {"Nguyễn Văn An"}),
        ("nguyen 0934", {"Nguyễn Văn An"}),
        ("do duc", {"Đỗ Đức"}),
        ("đức", {"Đỗ Đức"}),
        ("yen", {"Lý Công Yến"}),
        ("ly", {"Lý Công Yến"}),
        ("ly cong yen", {"Lý Công Yến"}),
        ("yen ly", {"Lý Công Yến"}),
        ("guyen", {"Peter Guyenson"}),
        ("guyens", {"Peter Guyenson"}),
        ("uyenson", {"Peter Guyenson"}),
        ("an@", {"Nguyễn Văn An"}),
        ("@example.vn", {"Nguyễn Văn An"}),
        ("tag@example", {"100%_sure O'Brien"}),
        ("100%", {"100%_sure O'Brien"}),
        ("o'brien", {"100%_sure O'Brien"}),
        ('o"brien', set()),
        ("%%%", set()),
        ("'; drop table", set()),
        ("zzz", set()),
    ],
)
def test_any_scrap_finds_who_is_meant(people, monkeypatch, text, names, walk):
    monkeypatch.setattr(browse, "WALK", walk)
    assert found(text) == names


def test_single_letters_look_at_the_newest_and_say_so(people, monkeypatch):
    monkeypatch.setattr(browse, "LONG_WALK", 2)
    live = Contact.objects.live()
    page = Browser(live, walk=live, search=Search("x")).first(50)
    assert page.partial
    assert page.ids == []


@pytest.mark.parametrize("text", ["", "   ", "\x00", "\n"])
def test_nothing_typed_is_no_search(text):
    assert not Search(text)


def test_a_wider_way_finds_more(people):
    assert found("guyen", way="anywhere") == {"Peter Guyenson", "Nguyễn Văn An"}
    assert found("9088", way="ending") == set()


def test_an_unknown_way_is_all_ways(people):
    assert found("guyens", way="<script>") == {"Peter Guyenson"}


# --- pages -------------------------------------------------------------------------------


@pytest.fixture
def many(account):
    """Contacts of which many changed at the very same moment."""
    now = timezone.now()
    for number in range(23):
        factories.contact(
            account, values={"name": f"Nguyễn {number}"}, touched_at=now - timedelta(hours=number // 5)
        )
    return list(Contact.objects.live().order_by("-touched_at", "-id").values_list("pk", flat=True))


def browser(text="", **options):
    live = Contact.objects.live()
    return Browser(live, walk=live, search=Search(text), **options)


@pytest.mark.parametrize("walk", [browse.WALK, 6], ids=["all walked", "walk ends"])
@pytest.mark.parametrize("text", ["", "nguyen"])
def test_pages_follow_each_other_and_back(many, monkeypatch, text, walk):
    monkeypatch.setattr(browse, "WALK", walk)
    pages = [browser(text).first(5)]
    while pages[-1].has_next:
        pages.append(browser(text).after(pages[-1].places[-1], 5))
    assert [pk for page in pages for pk in page.ids] == many
    back = pages[-1]
    for page in reversed(pages[:-1]):
        assert back.has_previous
        back = browser(text).before(back.places[0], 5)
        assert back.ids == page.ids
    assert not back.has_previous


def test_last_page_is_the_end_of_the_list(many):
    page = browser().last(5)
    assert page.ids == many[-5:]
    assert page.has_previous
    assert not page.has_next


def test_oldest_first_is_the_list_reversed(many):
    assert browser(oldest_first=True).first(50).ids == many[::-1]


@pytest.mark.parametrize("text", ["", "nguyen"])
def test_a_page_by_its_number(many, text):
    assert browser(text).numbered(3, 5).ids == many[10:15]
    with pytest.raises(TooDeep):
        browser(text).numbered(10**6, 100)


def test_the_count_stops(many, monkeypatch):
    monkeypatch.setattr(browse, "COUNT_LIMIT", 10)
    assert browser().first(5).count == browse.Count(10, more=True)
    assert browser().count() == browse.Count(10, more=True)
    assert browser().exact_count() == 23
    assert browser("nguyen").exact_count() == 23


def test_a_place_survives_its_address(many):
    place = browser().first(5).places[2]
    assert Place.parse(str(place)) == place


@pytest.mark.parametrize("text", ["", "x", "1", "1.", ".1", "9" * 30 + ".1", "1.-1", "1.1.1", "'"])
def test_a_broken_place_is_none(text):
    place = Place.parse(text)
    assert place is None or place.id >= 0


# --- what the database is asked ------------------------------------------------------------


def test_an_index_answers_word_and_digit_searches(people):
    index = "VIRTUAL TABLE" if database.vendor == "sqlite" else ""
    for text in ("nguyen van", "yen ly", "ly", "34 89", "uyenson"):
        for way in Search(text).ways:
            asked = way.by_index(Contact.objects.live(), database.vendor).explain()
            assert way.indexable
            assert ("phone_digits_reversed" if way.ending else index) in asked, (text, way.name)


def test_a_page_is_one_query_and_a_search_at_most_three(many):
    with CaptureQueriesContext(database) as captured:
        browser().first(5)
    assert len(captured) == 1
    with CaptureQueriesContext(database) as captured:
        browser("nguyen").first(5)
    assert len(captured) <= 3


def test_filter_values_come_without_a_scan(account):
    for number in range(30):
        factories.contact(account, stage=["New", "Won", ""][number % 3])
    from django.core.cache import cache

    cache.clear()
    with CaptureQueriesContext(database) as captured:
        assert choices.values_of("stage") == ["New", "Won"]
        assert choices.values_of("stage") == ["New", "Won"]
    assert len(captured) == 1
    with pytest.raises(ValueError, match="no index"):
        choices.values_of("note")


# --- hits marked ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("nguyen van", "Nguyễn Văn An", "<mark>Nguyễn Văn</mark> An"),
        ("an nguyen", "Nguyễn Văn An", "<mark>Nguyễn</mark> Văn <mark>An</mark>"),
        ("duc", "Đỗ Đức", "Đỗ <mark>Đức</mark>"),
        ("<b>", "<b>x</b>", "<mark>&lt;b&gt;</mark>x&lt;/b&gt;"),
        ("zzz", "<img>", "&lt;img&gt;"),
        ("", "a & b", "a &amp; b"),
    ],
)
def test_names_are_marked_and_escaped(query, text, marked):
    assert Marker(Search(query)).text(text) == marked


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("890883", "0934 890 883", "0934 <mark>890 883</mark>"),
        ("+84 934", "0934 890 883", "<mark>0934</mark> 890 883"),
        ("0934", "0934 890 883", "<mark>0934</mark> 890 883"),
        ("nguyen", "0934 890 883", "0934 890 883"),
        ("883", "<883>", "&lt;<mark>883</mark>&gt;"),
    ],
)
def test_phones_are_marked_whatever_their_writing(query, text, marked):
    assert Marker(Search(query)).phone(text) == marked
