"""Confirming a launch: permission, brakes, the typed number, and the second click."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from backoffice.models import AuditEntry
from bot_campaigns.models import Launch, Suppression
from bot_campaigns.services import launching
from crm_bridge.models import StreamState
from tests import factories
from tests.flows import bot as flow

pytestmark = pytest.mark.django_db


@pytest.fixture
def launch(sandbox, bot):
    return flow.launch(sandbox, bot, flow.numbers(30))


def codes(error):
    return [brake.code for brake in error.value.brakes]


def test_confirming_stores_the_proof_and_sends_nothing(sandbox, launch, by):
    launching.confirm(launch, by=by)
    assert (launch.status, launch.confirmed_by) == (Launch.Status.HANDING_OVER, by)
    assert launch.proof["confirmed_by"] == by.get_username()
    assert launch.proof["start"] is True
    assert sandbox.bot.writes() == []
    assert AuditEntry.objects.get(action="launch.confirm").data["to_dial"] == 30


def test_a_second_click_changes_nothing(launch, by):
    launching.confirm(launch, by=by)
    first = launch.confirmed_at
    stale = Launch.objects.get(pk=launch.pk)
    launching.confirm(stale, by=by)
    assert stale.confirmed_at == first
    assert AuditEntry.objects.filter(action="launch.confirm").count() == 1


def test_it_needs_its_own_permission(launch):
    with pytest.raises(PermissionDenied):
        launching.confirm(launch, by=factories.user("Sales"))
    assert Launch.objects.get().confirmed_at is None


@pytest.mark.parametrize("typed", ["", "29", "300", "yes"])
def test_many_calls_want_their_number_typed(launch, by, typed):
    launch.connection.rules.type_above = 20
    launch.connection.rules.save()
    flow.recheck(launch)
    assert launching.needs_typing(launch)
    with pytest.raises(launching.NotLaunched) as error:
        launching.confirm(launch, by=by, typed=typed)
    assert codes(error) == ["typed"]
    launching.confirm(launch, by=by, typed=" 30 ")
    assert launch.confirmed_at


def test_a_stale_mirror_may_be_overridden_with_a_reason(launch, by):
    StreamState.objects.update(last_ok_at=timezone.now() - timedelta(hours=2))
    for given in ({}, {"mirror": "  "}, {"dnc": "why not"}):
        with pytest.raises(launching.NotLaunched) as error:
            launching.confirm(launch, by=by, overrides=given)
        assert codes(error) == ["mirror"]
    launching.confirm(launch, by=by, overrides={"mirror": "The CRM is being moved."})
    assert launch.proof["overrides"]["mirror"]["reason"] == "The CRM is being moved."


def test_other_brakes_hold_whatever_reason_is_given(launch, by):
    launch.connection.streams.update(last_ok_at=timezone.now() - timedelta(days=1))
    Suppression.objects.create(e164=flow.numbers(1)[0], source="staff")
    with pytest.raises(launching.NotLaunched) as error:
        launching.confirm(launch, by=by, overrides={"dnc": "x", "suppressed": "x", "mirror": "x"})
    assert codes(error) == ["dnc", "suppressed"]


def test_a_form_changed_after_the_check_is_not_launched(launch, by):
    Launch.objects.update(frequency=11)
    with pytest.raises(launching.NotLaunched) as error:
        launching.confirm(launch, by=by)
    assert codes(error) == ["check"]


def test_outside_the_hours_it_is_only_handed_over(launch, by):
    rules = launch.connection.rules
    rules.window_start = (timezone.localtime() + timedelta(minutes=30)).time()
    rules.save()
    Launch.objects.update(daily_start=rules.window_start)
    launch.refresh_from_db()
    flow.recheck(launch)
    with pytest.raises(launching.NotLaunched) as error:
        launching.confirm(launch, by=by)
    assert codes(error) == ["window"]
    launching.confirm(launch, by=by, start=False)
    assert launch.proof["start"] is False


def test_codes_are_short_and_differ():
    made = {launching.new_code() for _each in range(500)}
    assert len(made) == 500
    assert {len(code) for code in made} == {10}
