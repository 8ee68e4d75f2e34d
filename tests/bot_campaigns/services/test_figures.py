"""Numbers of campaigns: every subscriber in one group, every number its rows."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from bot_campaigns import outcomes
from bot_campaigns.models import Call, Campaign, LaunchNumber, Subscriber
from bot_campaigns.services import figures, streams
from bot_campaigns.views.campaign_home import by_hour
from tests.bot_campaigns.services import rows

pytestmark = pytest.mark.django_db
STATES = (1, 1, 2, 3, 4, 4, 5, 6, 7, 8, None, 42)


@pytest.fixture
def account(db):
    return rows.bot()


def fill(campaign, states=STATES):
    for place, status in enumerate(states):
        number = f"+8491500{campaign.pk % 100:02d}{place:02d}"
        Subscriber.objects.create(
            connection=campaign.connection, campaign=campaign, remote_id=f"s{campaign.pk}.{place}",
            number=number, e164=number, status=status, attempts=int(status in (4, 5, 6, 8)),
        )  # fmt: skip


def test_every_subscriber_is_in_exactly_one_group_and_each_number_opens_its_rows(account):
    campaign = rows.campaign(account)
    fill(campaign)
    withdrawn = campaign.subscribers.filter(status=1).first()
    launch = rows.launch(account, campaign=campaign)
    LaunchNumber.objects.create(
        launch=launch, number=withdrawn.number, e164=withdrawn.e164, verdict="dial", withdrawal="done"
    )
    found = figures.figures(campaign)
    assert (found.to_dial, found.in_progress, found.connected, found.failed, found.aborted) == (4, 1, 2, 3, 1)
    assert (found.withdrawn, found.dialled, found.total) == (1, 5, len(STATES))
    seen = []
    for name, _label in (*figures.GROUPS, ("dialled", "")):
        group = list(figures.in_group(campaign.subscribers.all(), name))
        assert len(group) == getattr(found, name), name
        seen += [row.pk for row in group] if name != "dialled" else []
    assert sorted(seen) == sorted(campaign.subscribers.values_list("pk", flat=True))


def test_share_and_rate_are_of_what_is_settled():
    some = figures.Figures(total=8, to_dial=3, in_progress=1, connected=3, failed=1, dialled=5)
    assert (some.share, some.answer_rate) == (50, 75)
    assert figures.Figures().answer_rate is None
    assert figures.Figures().share == 0


def test_lists_show_what_was_counted_when_the_subscribers_were_read(account, django_assert_num_queries):
    campaigns = [rows.campaign(account) for _ in range(4)]
    for campaign in campaigns:
        fill(campaign)
    streams.count_numbers(account)
    campaigns = list(Campaign.objects.order_by("pk"))
    with django_assert_num_queries(0):
        kept = figures.kept_figures(campaigns)
    for campaign in campaigns:
        assert kept[campaign.pk] == figures.figures(campaign)
        assert campaign.total == len(STATES)


def test_a_campaign_that_was_not_started_counts_what_was_handed_over(account):
    campaign = rows.campaign(account, status=2)
    launch = rows.launch(account, campaign=campaign)
    for place, withdrawal in enumerate(("", "", "done")):
        LaunchNumber.objects.create(
            launch=launch, number=f"+8491500000{place}", e164=f"+8491500000{place}", verdict="dial",
            handed_at=timezone.now(), withdrawal=withdrawal,
        )  # fmt: skip
    found = figures.figures(campaign)
    assert (found.total, found.to_dial, found.started) == (2, 2, False)
    assert figures.kept_figures([campaign])[campaign.pk] == found


def test_outcomes_split_all_calls_and_hours_are_those_of_the_company(account):
    campaign = rows.campaign(account)
    at = datetime.fromisoformat("2026-11-23T16:59:30+00:00")
    words = ("ANSWER", "NORMAL_CLEARING", "BUSY", "NOANSWER", "FAILED", "CONGESTION", "", "NEW_WORD")
    for place, word in enumerate(words):
        rows.call(account, f"+849150000{place:02d}", timedelta(0), campaign=campaign, disposition=word)
    Call.objects.update(started_at=at)
    rows.call(account, "+84915000099", timedelta(0), campaign=campaign, leg=2)
    calls = figures.calls_to_people()
    assert calls.count() == len(words)
    split = {name: figures.with_outcome(calls, name).count() for name, _label in figures.OUTCOMES}
    assert split == {"answered": 2, "no_answer": 2, "failed": 4}
    for name in split:
        for call in figures.with_outcome(calls, name):
            assert figures.outcome_of(call.disposition) == name
    assert {minute for minute, _said, _n, _last in figures.by_minute(calls)} == {"2026-11-23 16:59"}
    assert by_hour(figures.by_minute(calls)) == {"2026-11-23 23": [2, 2, 4]}


@pytest.mark.parametrize("word", ["ANSWER", "ALLOTTED_TIMEOUT", "BUSY", "CANCEL", "CALL_REJECTED", "??"])
def test_campaigns_and_the_call_search_count_a_word_alike(word):
    group = outcomes.group_of(word)
    alike = {outcomes.ANSWERED: "answered", outcomes.FAILED: "failed"}
    assert figures.outcome_of(word) == alike.get(group, "no_answer")
