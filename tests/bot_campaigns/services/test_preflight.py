"""The pre-flight: every reason, counts that add up, proof, brakes and the last moment."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from backoffice.models import AuditEntry
from bot_campaigns.models import BotStreamState, CallingRules, Launch, LaunchNumber, Suppression
from bot_campaigns.services import audience, preflight, suppression
from crm_bridge.models import Contact, StreamState, Tag
from crm_bridge.services import contacts as crm_contacts
from tests import factories
from tests.bot_campaigns.services import rows

pytestmark = pytest.mark.django_db

AN = "+84934890883"
BINH = "+84934890884"
CHAU = "+84934890885"


@pytest.fixture
def bot():
    return rows.bot()


@pytest.fixture
def crm():
    return rows.crm()


@pytest.fixture
def manager():
    return factories.user("Managers")


def silence(*numbers: str) -> None:
    suppression.add(numbers=numbers, source=Suppression.Source.STAFF, reason="asked", by=None)


# --- every reason ------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["trashed", "merged", "missing"])
def test_contact_that_is_not_live_is_not_dialled(bot, crm, manager, state):
    launch = rows.of(bot, rows.person(crm, "0934890883", state=state), rows.person(crm, "0934890884"))
    counts = preflight.check(launch, by=manager)
    assert (counts["picked"], counts[state], counts["to_dial"]) == (2, 1, 1)
    assert rows.verdicts(launch) == [(AN, state), (BINH, "dial")]


def test_contact_whose_deletion_is_on_its_way_counts_as_trashed(bot, crm, manager):
    leaving = rows.person(crm, "0934890883")
    crm_contacts.delete(contact=leaving, by=manager)
    launch = rows.of(bot, leaving)
    assert preflight.check(launch, by=manager)["trashed"] == 1


def test_contact_without_a_valid_number_is_named(bot, crm, manager):
    launch = rows.of(bot, rows.person(crm), rows.person(crm, "12"))
    assert preflight.check(launch, by=manager)["no_number"] == 2
    reasons = list(launch.numbers.order_by("pk").values_list("number", "reason"))
    assert reasons == [("", "no number"), ("12", "not a valid number")]


def test_first_valid_number_is_used_and_recorded(bot, crm, manager):
    launch = rows.of(bot, rows.person(crm, "12", "0934 890 884", "0934890885"))
    preflight.check(launch, by=manager)
    assert launch.numbers.values_list("number", "e164", "verdict").get() == ("0934 890 884", BINH, "dial")


def test_people_who_share_a_number_are_called_once(bot, crm, manager):
    launch = rows.of(
        bot, *(rows.person(crm, phone) for phone in ("0934890883", "+84 934 890 883", "84934890883"))
    )
    counts = preflight.check(launch, by=manager)
    assert (counts["to_dial"], counts["duplicate"]) == (1, 2)


def test_row_that_is_not_called_does_not_claim_its_number(bot, crm, manager):
    launch = rows.of(bot, rows.person(crm, "0934890883", state="trashed"), rows.person(crm, "0934890883"))
    preflight.check(launch, by=manager)
    assert rows.verdicts(launch) == [(AN, "trashed"), (AN, "dial")]


def test_suppressed_number_says_since_when_and_why(bot, crm, manager):
    silence("0934 890 883")
    Suppression.objects.update(since=datetime(2026, 10, 12, 3, tzinfo=UTC))
    launch = rows.of(bot, rows.person(crm, "0934890883"))
    assert preflight.check(launch, by=manager)["suppressed"] == 1
    assert launch.numbers.get().reason == "since 12 Oct 2026: asked"


def test_consent_is_asked_for_only_where_the_rules_do(bot, crm, manager):
    with_consent = rows.person(crm, "0934890883", tags=["agreed"])
    launch = rows.of(bot, with_consent, rows.person(crm, "0934890884", tags=["vip"]))
    preflight.rules_of(bot).save()
    assert preflight.check(launch, by=manager)["to_dial"] == 2
    CallingRules.objects.update(consent_required=True, consent_tag="agreed")
    counts = preflight.check(launch, by=manager)
    assert (counts["no_consent"], counts["to_dial"]) == (1, 1)
    assert rows.verdicts(launch) == [(AN, "dial"), (BINH, "no_consent")]


def test_consent_without_a_named_tag_lets_nobody_through(bot, crm, manager):
    preflight.rules_of(bot).save()
    CallingRules.objects.update(consent_required=True, consent_tag="")
    nameless = rows.person(crm, "0934890884")
    nameless.tags.add(Tag.objects.create(connection=crm, name=""))
    launch = rows.of(bot, rows.person(crm, "0934890883", tags=["agreed"]), nameless)
    assert preflight.check(launch, by=manager)["no_consent"] == 2
    assert "consent_tag" in preflight.form_errors(launch)


@pytest.mark.parametrize(
    ("days", "hours", "ago", "verdict"),
    [
        (7, 24, timedelta(days=6, hours=23), "called"),
        (7, 24, timedelta(days=7, minutes=1), "dial"),
        (0, 24, timedelta(hours=23, minutes=59), "called"),
        (0, 24, timedelta(hours=24, minutes=1), "dial"),
        (0, 0, timedelta(minutes=1), "dial"),
        (7, 0, timedelta(days=6), "called"),
        (1, 48, timedelta(hours=47), "called"),
    ],
)
def test_recent_calls_count_by_number_from_every_account(bot, crm, manager, days, hours, ago, verdict):
    preflight.rules_of(bot).save()
    CallingRules.objects.update(hours_between_calls=hours)
    rows.call(rows.bot(), AN, ago)
    launch = rows.of(bot, rows.person(crm, "0934890883"), not_called_days=days)
    preflight.check(launch, by=manager)
    assert rows.verdicts(launch) == [(AN, verdict)]


def test_call_of_unknown_time_counts_from_when_it_was_read(bot, crm, manager):
    rows.call(bot, AN, timedelta(), started_at=None)
    launch = rows.of(bot, rows.person(crm, "0934890883"))
    assert preflight.check(launch, by=manager)["called"] == 1


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (1, "running"),
        (2, "running"),
        (3, "running"),
        (4, "dial"),
        (5, "dial"),
        (9, "running"),
        (None, "running"),
    ],
)
def test_numbers_of_a_campaign_that_may_dial_are_busy(bot, crm, manager, status, verdict):
    other = rows.campaign(rows.bot(), status)
    other.phonebooks.add(rows.phonebook(other.connection, AN))
    launch = rows.of(bot, rows.person(crm, "0934890883"))
    preflight.check(launch, by=manager)
    assert rows.verdicts(launch) == [(AN, verdict)]


def test_campaign_long_expired_or_gone_keeps_nobody_busy(bot, crm, manager):
    now = timezone.now()
    for ended in ({"expires_at": now - timedelta(hours=2)}, {"gone_at": now}):
        rows.campaign(bot, 2, **ended).phonebooks.add(rows.phonebook(bot, AN))
    launch = rows.of(bot, rows.person(crm, "0934890883"))
    assert preflight.check(launch, by=manager)["to_dial"] == 1


def test_withdrawn_and_unlisted_rows_of_a_running_campaign_are_free(bot, crm, manager):
    book = rows.phonebook(bot, AN, is_enabled=False)
    rows.bot_contact(book, BINH, gone_at=timezone.now())
    rows.campaign(bot, 1).phonebooks.add(book)
    launch = rows.of(bot, rows.person(crm, "0934890883"), rows.person(crm, "0934890884"))
    assert preflight.check(launch, by=manager)["to_dial"] == 2


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("draft", "dial"), ("checked", "dial"), ("handing", "running"), ("ready", "running"),
        ("started", "running"), ("held", "running"), ("cancelled", "dial"),
    ],
)  # fmt: skip
def test_numbers_of_another_launch_under_way_are_busy(bot, crm, manager, status, verdict):
    someone = rows.person(crm, "0934890883")
    other = rows.of(rows.bot(), someone)
    preflight.check(other, by=manager)
    Launch.objects.filter(pk=other.pk).update(status=status)
    launch = rows.of(bot, someone)
    preflight.check(launch, by=manager)
    assert rows.verdicts(launch) == [(AN, verdict)]


def test_launch_whose_campaign_ended_or_number_was_withdrawn_keeps_nobody_busy(bot, crm, manager):
    someone, another = rows.person(crm, "0934890883"), rows.person(crm, "0934890884")
    other = rows.of(bot, someone, another)
    preflight.check(other, by=manager)
    Launch.objects.filter(pk=other.pk).update(status="started", campaign=rows.campaign(bot, 1))
    LaunchNumber.objects.filter(launch=other, e164=AN).update(withdrawal="done")
    launch = rows.of(bot, someone, another)
    preflight.check(launch, by=manager)
    assert rows.verdicts(launch) == [(AN, "dial"), (BINH, "running")]
    other.refresh_from_db()
    other.campaign.__class__.objects.filter(pk=other.campaign_id).update(reported_status=4)
    assert preflight.check(launch, by=manager)["to_dial"] == 2


def test_number_in_a_zone_that_the_window_does_not_suit_is_not_dialled(bot, crm, manager):
    # Phnom Penh shares the clock, New York sleeps, a satellite phone may be anywhere
    launch = rows.of(
        bot, *(rows.person(crm, phone) for phone in ("+85512345678", "+12025550123", "+881612345678"))
    )
    preflight.check(launch, by=manager)
    found = {
        number[:4]: (verdict, why)
        for number, verdict, why in launch.numbers.values_list("e164", "verdict", "reason")
    }
    assert found["+855"][0] == "dial"
    assert found["+120"] == ("zone", "America/New_York")
    assert found["+881"] == ("zone", "unknown zone")


# --- adding up ---------------------------------------------------------------------------


@dataclass
class World:
    """What the oracle knows: plain lists, looked through row by row."""

    rng: random.Random
    suppressed: set[str] = field(default_factory=set)
    called: dict[str, timedelta] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    consent_required: bool = False
    people: list[tuple[str, list[str], list[str]]] = field(default_factory=list)
    """(state, phones, tags)"""

    def expected(self) -> list[str]:
        taken: set[str] = set()
        return [self._verdict(state, phones, tags, taken) for state, phones, tags in self.people]

    def _verdict(self, state: str, phones: list[str], tags: list[str], taken: set[str]) -> str:
        valid = [phone for phone in phones if len(phone) > 8]
        if state != "live":
            return state
        if not valid:
            return "no_number"
        number = valid[0] if valid[0].startswith("+") else f"+84{valid[0][1:]}"
        if number in taken:
            return "duplicate"
        taken.add(number)
        if number in self.suppressed:
            return "suppressed"
        if self.consent_required and "agreed" not in tags:
            return "no_consent"
        if self.called.get(number, timedelta.max) <= timedelta(days=7):
            return "called"
        if number in self.busy:
            return "running"
        return "zone" if number.startswith("+1") else "dial"


def some_world(seed: int, size: int) -> World:
    rng = random.Random(seed)
    world = World(rng, consent_required=seed % 2 == 1)
    phones = [f"0934{number:06d}" for number in rng.sample(range(10**6), max(20, size * 2 // 3))]
    e164 = [f"+84{phone[1:]}" for phone in phones]
    world.suppressed = set(rng.sample(e164, len(e164) // 10))
    world.busy = set(rng.sample(e164, len(e164) // 10))
    world.called = {
        number: timedelta(days=rng.randrange(14), hours=1) for number in rng.sample(e164, len(e164) // 6)
    }
    phones += ["", "12", "+12025550123"] * (len(phones) // 15)
    states = ["live", "trashed", "merged", "missing"]
    for _ in range(size):
        state = rng.choices(states, [9, 1, 1, 1])[0]
        tags = rng.sample(["agreed", "vip"], rng.randint(0, 2))
        world.people.append((state, rng.sample(phones, rng.randint(0, 3)), tags))
    return world


def made(world: World, bot, crm) -> Launch:
    """The world as rows of the product."""
    preflight.rules_of(bot).save()
    CallingRules.objects.update(consent_required=world.consent_required, consent_tag="agreed")
    silence(*world.suppressed)
    book = rows.phonebook(bot)
    rows.campaign(bot, world.rng.choice([1, 2, 3, 9])).phonebooks.add(book)
    rows.many_bot_contacts(book, world.busy)
    rows.many_calls(bot, world.called)
    ids = rows.many_people(crm, world.people)
    return rows.launch(bot, audience_spec={"ids": ids})


def adds_up(world: World, bot, crm, by) -> None:
    launch = made(world, bot, crm)
    counts = preflight.check(launch, by=by)
    expected = world.expected()
    assert [verdict for _number, verdict in rows.verdicts(launch)] == expected
    assert launch.counts == counts
    assert counts["picked"] == len(expected)
    assert counts["picked"] - sum(counts[reason] for reason in preflight.REASONS) == counts["to_dial"]
    for verdict in (*preflight.REASONS, "dial"):
        assert counts["to_dial" if verdict == "dial" else verdict] == expected.count(verdict)
    dialled = list(launch.numbers.filter(verdict="dial").values_list("e164", flat=True))
    assert len(dialled) == len(set(dialled))
    assert preflight.still_allowed(dialled, bot, timezone.now(), launch=launch) == set(dialled)


@pytest.mark.parametrize("seed", range(8))
def test_random_audiences_agree_with_an_oracle_row_by_row(bot, crm, manager, seed):
    adds_up(some_world(seed, 600), bot, crm, manager)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [100, 101])
def test_100_000_random_people_agree_with_an_oracle_row_by_row(bot, crm, manager, seed):
    adds_up(some_world(seed, 100_000), bot, crm, manager)


# --- frozen, stale, proof ----------------------------------------------------------------


def test_check_stores_who_when_and_what_it_looked_at(bot, crm, manager):
    launch = rows.of(bot, *(rows.person(crm, f"09348908{n:02d}") for n in range(25)), frequency=10)
    preflight.check(launch, by=manager)
    launch.refresh_from_db()
    assert launch.status == "checked"
    assert launch.checked_at is not None
    assert launch.proof["checked_by"] == manager.get_username()
    assert launch.proof["minutes"] == 3
    assert launch.proof["rules"]["window_end"] == "17:00:00"
    oldest = StreamState.objects.order_by("last_ok_at").first().last_ok_at
    assert datetime.fromisoformat(launch.proof["mirror_at"]) == oldest
    assert datetime.fromisoformat(launch.proof["dnc_at"]) == BotStreamState.objects.get().last_ok_at
    assert AuditEntry.objects.get(action="launch.check").data["to_dial"] == 25


def test_check_again_follows_what_changed(bot, crm, manager):
    someone = rows.person(crm, "0934890883")
    launch = rows.of(bot, someone)
    preflight.check(launch, by=manager)
    Contact.objects.filter(pk=someone.pk).update(state="trashed")
    assert preflight.check(launch, by=manager)["trashed"] == 1
    assert launch.numbers.count() == 1


def test_confirmed_launch_is_frozen(bot, crm, manager):
    launch = rows.of(bot, rows.person(crm, "0934890883"))
    preflight.check(launch, by=manager)
    Launch.objects.filter(pk=launch.pk).update(confirmed_at=timezone.now())
    before = list(launch.numbers.values())
    with pytest.raises(audience.Frozen, match="frozen"):
        preflight.check(launch, by=manager)
    assert list(launch.numbers.values()) == before


def test_second_check_at_the_same_time_is_refused(bot, crm, manager):
    launch = rows.of(bot, rows.person(crm, "0934890883"))
    with audience.drafting(launch), pytest.raises(audience.Frozen, match="already"):
        preflight.check(launch, by=manager)
    assert preflight.check(launch, by=manager)["to_dial"] == 1


def test_check_that_breaks_leaves_an_unchecked_draft(bot, crm, manager):
    launch = rows.of(bot, rows.person(crm, "0934890883"))
    preflight.check(launch, by=manager)
    Launch.objects.filter(pk=launch.pk).update(audience_spec={"ids": []})
    with pytest.raises(audience.Unusable, match="No contact"):
        preflight.check(launch, by=manager)
    launch.refresh_from_db()
    assert (launch.status, launch.checked_at, launch.lease_token) == ("draft", None, None)
    assert preflight.stale(launch, timezone.now())


def test_check_grows_stale_with_time_form_and_rules(bot, crm, manager):
    preflight.rules_of(bot).save()
    launch = rows.of(bot, rows.person(crm, "0934890883"))
    assert "not been checked" in preflight.stale(launch, timezone.now())
    preflight.check(launch, by=manager)
    now = launch.checked_at
    assert preflight.stale(launch, now + timedelta(minutes=10)) == ""
    assert "older" in preflight.stale(launch, now + timedelta(minutes=10, seconds=1))
    launch.frequency = 11
    assert "form" in preflight.stale(launch, now)
    launch.refresh_from_db()
    CallingRules.objects.update(window_end=time(16))
    assert "rules" in preflight.stale(Launch.objects.get(pk=launch.pk), now)


# --- brakes ------------------------------------------------------------------------------


@pytest.fixture
def ready(bot, crm, manager, monkeypatch):
    """A checked launch on a Monday at ten, with nothing against it."""
    monkeypatch.setattr(timezone, "now", lambda: rows.MONDAY_TEN)
    BotStreamState.objects.update(last_ok_at=rows.MONDAY_TEN)
    StreamState.objects.update(last_ok_at=rows.MONDAY_TEN)
    launch = rows.of(bot, rows.person(crm, "0934890883"))
    preflight.check(launch, by=manager)
    return launch


def codes(launch: Launch, at: datetime = rows.MONDAY_TEN) -> list[str]:
    return [brake.code for brake in preflight.brakes(Launch.objects.get(pk=launch.pk), at)]


def test_nothing_brakes_a_good_launch(ready):
    assert codes(ready) == []


def test_stale_mirror_brakes_and_only_it_can_be_overridden(ready):
    StreamState.objects.filter(stream="merged").update(last_ok_at=rows.MONDAY_TEN - timedelta(minutes=31))
    (brake,) = preflight.brakes(ready, rows.MONDAY_TEN)
    assert (brake.code, brake.can_override) == ("mirror", True)
    assert "31 minutes" in brake.words


def test_mirror_that_was_never_read_brakes(ready):
    StreamState.objects.filter(stream="deleted").delete()
    assert codes(ready) == ["mirror"]


def test_stale_or_missing_do_not_call_list_brakes_for_good(ready):
    BotStreamState.objects.update(last_ok_at=rows.MONDAY_TEN - timedelta(minutes=61))
    (brake,) = preflight.brakes(ready, rows.MONDAY_TEN)
    assert (brake.code, brake.can_override) == ("dnc", False)
    BotStreamState.objects.all().delete()
    assert codes(ready) == ["dnc"]


def test_unconfirmed_zone_brakes_for_good(ready):
    ready.connection.__class__.objects.update(zone_confirmed_at=None)
    (brake,) = preflight.brakes(Launch.objects.get(pk=ready.pk), rows.MONDAY_TEN)
    assert (brake.code, brake.can_override) == ("zone", False)


def test_closed_window_brakes_and_says_when_it_opens(ready):
    Launch.objects.update(confirmed_at=rows.MONDAY_TEN)
    late = rows.MONDAY_TEN.replace(hour=17)
    BotStreamState.objects.update(last_ok_at=late)
    StreamState.objects.update(last_ok_at=late)
    (brake,) = preflight.brakes(Launch.objects.get(pk=ready.pk), late)
    assert (brake.code, brake.can_override) == ("window", False)
    assert "24.11. 08:00" in brake.words
    assert codes(ready, late - timedelta(seconds=1)) == []


def test_form_brakes_name_their_field(ready):
    ready.gateway.__class__.objects.update(is_enabled=False)
    Launch.objects.update(frequency=61, confirmed_at=rows.MONDAY_TEN)
    found = preflight.brakes(Launch.objects.get(pk=ready.pk), rows.MONDAY_TEN)
    assert {(brake.code, brake.field) for brake in found} == {("form", "gateway"), ("form", "frequency")}
    assert not any(brake.can_override for brake in found)


def test_gateway_and_template_of_another_account_are_refused(ready):
    other = rows.bot()
    Launch.objects.update(
        gateway=rows.gateway(other), template=rows.template(other), confirmed_at=rows.MONDAY_TEN
    )
    assert preflight.form_errors(Launch.objects.get(pk=ready.pk)).keys() == {"gateway", "template"}


def test_number_suppressed_after_the_check_brakes_until_withdrawn(ready):
    silence("0934890883")
    (brake,) = preflight.brakes(ready, rows.MONDAY_TEN)
    assert (brake.code, brake.can_override) == ("suppressed", False)
    ready.numbers.update(withdrawal="done")
    assert codes(ready) == []


def test_inactive_connection_and_empty_audience_brake(ready):
    ready.connection.__class__.objects.update(is_active=False)
    Launch.objects.update(counts={"to_dial": 0})
    assert codes(ready) == ["nobody", "connection"]


# --- the last moment ---------------------------------------------------------------------


def test_last_moment_refuses_what_changed_since_the_check(bot, crm, manager):
    someone, another, third = (rows.person(crm, f"093489088{n}") for n in (3, 4, 5))
    launch = rows.of(bot, someone, another, third)
    preflight.check(launch, by=manager)
    silence(AN)
    Contact.objects.filter(pk=another.pk).update(state="merged")
    rows.call(bot, CHAU, timedelta(hours=1))
    now = timezone.now()
    found = preflight.refusals([AN, BINH, CHAU], bot, now, launch=launch)
    assert {number: verdict for number, (verdict, _why) in found.items()} == {
        AN: "suppressed", BINH: "merged", CHAU: "called",
    }  # fmt: skip
    assert preflight.refusals([AN, BINH, CHAU], bot, now, launch=launch, calls=False).keys() == {AN, BINH}
    assert preflight.still_allowed([AN, BINH, CHAU], bot, now) == {BINH}


def test_last_moment_refuses_numbers_of_another_running_campaign_only(bot, crm, manager):
    launch = rows.of(bot, rows.person(crm, "0934890883"))
    preflight.check(launch, by=manager)
    own = rows.campaign(bot, 1, name=f"Tết {launch.code}")
    own.phonebooks.add(rows.phonebook(bot, AN))
    now = timezone.now()
    assert preflight.still_allowed([AN], bot, now, launch=launch) == {AN}
    rows.campaign(bot, 1).phonebooks.add(rows.phonebook(bot, AN))
    assert preflight.still_allowed([AN], bot, now, launch=launch) == set()


def test_last_moment_refuses_withdrawn_consent(bot, crm, manager):
    preflight.rules_of(bot).save()
    CallingRules.objects.update(consent_required=True, consent_tag="agreed")
    someone = rows.person(crm, "0934890883", tags=["agreed"])
    launch = rows.of(bot, someone)
    preflight.check(launch, by=manager)
    assert preflight.still_allowed([AN], bot, timezone.now(), launch=launch) == {AN}
    someone.tags.clear()
    assert preflight.refusals([AN], bot, timezone.now(), launch=launch)[AN][0] == "no_consent"


def test_last_moment_refuses_what_is_no_canonical_number(bot):
    assert preflight.still_allowed(["0934890883", "", "12", AN], bot, timezone.now()) == {AN}
