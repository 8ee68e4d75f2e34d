"""What is sent to AntBOT, and what cannot be said to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone

import pytest

from bot_campaigns.antbot import bodies
from bot_campaigns.antbot.client import CallFilters, CampaignFilters, SubscriberFilters, query_of
from bot_campaigns.records import BotContactDraft, Campaign, CampaignDraft, ReportedStatus

DRAFT = CampaignDraft(
    name="L-17",
    phonebook_ids=("293", "294", "293"),
    gateway_id="23",
    survey_template_id="351",
    frequency=10,
    starts_at=datetime(2026, 11, 20, 8, 0, 0, 45000, timezone(timedelta(hours=7))),
    expires_at=datetime(2026, 11, 22, 1, tzinfo=UTC),
    daily_start=time(8),
    daily_stop=time(17, 30, 0, 999),
)


def test_a_new_campaign() -> None:
    assert bodies.new_campaign(DRAFT) == {
        "name": "L-17",
        "phonebook": [293, 294],
        "aleg_gateway": 23,
        "object_id": 351,
        "frequency": 10,
        "startingdate": "2026-11-20T01:00:00.045000Z",
        "expirationdate": "2026-11-22T01:00:00.000000Z",
        "daily_start_time": "08:00:00",
        "daily_stop_time": "17:30:00",
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": " "}, "name"),
        ({"phonebook_ids": ()}, "At least one phonebook"),
        ({"phonebook_ids": ("x",)}, "phonebook is not known"),
        ({"gateway_id": ""}, "gateway is not known"),
        ({"survey_template_id": ""}, "survey template is not known"),
        ({"frequency": 0}, "at least one number a minute"),
        ({"starts_at": datetime(2026, 11, 20)}, "needs a zone"),  # noqa: DTZ001  that is the point
        ({"daily_start": time(8, tzinfo=UTC)}, "no zone"),
    ],
)
def test_what_cannot_be_said_of_a_campaign(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        bodies.new_campaign(replace(DRAFT, **change))  # type: ignore[arg-type]


def test_a_campaign_of_which_too_little_is_shown_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frequency, starts_at, expires_at, daily_start, daily_stop"):
        bodies.to_draft(Campaign("1", "L-17"))


def test_a_change_never_sends_a_status_or_the_sealed_call_flow() -> None:
    shown = {"id": 1, "name": "L-17", "status": 3, "object_id": 951, "phonebook": [293], "aleg_gateway": 23}
    campaign = Campaign(
        "1", "L-17", phonebook_ids=("293",), gateway_id="23", survey_id="951", frequency=1,
        starts_at=DRAFT.starts_at, expires_at=DRAFT.expires_at, daily_start=time(8), daily_stop=time(9),
        status=ReportedStatus.STOPPED,
    )  # fmt: skip
    body = bodies.changed_campaign(replace(bodies.to_draft(campaign), frequency=5), shown, ["frequency"])
    assert body == {"name": "L-17", "phonebook": [293], "aleg_gateway": 23, "frequency": 5}


def test_contacts() -> None:
    draft = BotContactDraft(number="0912000001", first_name="An", variables={"a": "ê"})
    assert bodies.new_contact(draft) == {
        "contact": "0912000001", "status": 1, "first_name": "An", "additional_vars": '{"a":"ê"}',
    }  # fmt: skip
    assert bodies.new_contact(BotContactDraft(number="0912000001", active=False)) == {
        "contact": "0912000001", "status": 0,
    }  # fmt: skip
    cleared = bodies.changed_contact(replace(draft, first_name=""), {"id": 1}, ["first_name"])
    assert cleared == {"contact": "0912000001", "status": 1, "first_name": ""}


def test_queries_write_times_and_truths_as_the_vendor_does() -> None:
    since = datetime(2026, 11, 20, 8, tzinfo=timezone(timedelta(hours=7)))
    assert query_of(CallFilters(from_date=since, billsec=0, alarm=False, otp=True, campaign="23")) == {
        "from_date": "2026-11-20T01:00:00.000000Z",
        "billsec": 0,
        "alarm": "false",
        "otp": "true",
        "campaign": "23",
    }
    assert query_of(CampaignFilters(status=ReportedStatus.ENDED)) == {"status": 4}
    assert str(query_of(CampaignFilters(status=ReportedStatus.ENDED))["status"]) == "4"
    assert query_of(SubscriberFilters()) == {}


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    now = datetime.now(UTC)
    with pytest.raises(ValueError, match="end before they begin"):
        CallFilters(from_date=now, to_date=now - timedelta(seconds=1))
