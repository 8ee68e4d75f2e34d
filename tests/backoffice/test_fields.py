"""Credentials at rest: what the table holds, which key reads it, what nobody can ask."""

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core import serializers
from django.core.exceptions import FieldError
from django.core.management import CommandError, call_command
from django.db import connection as database

from crm_bridge.models import Connection
from tests.factories import connection as make_connection

pytestmark = pytest.mark.django_db

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))
SECRET = {"api_key": "khóa bí mật ✓"}


@pytest.fixture
def account(settings):
    settings.CREDENTIAL_KEYS = [OLD]
    return make_connection(credentials=SECRET)


def stored():
    with database.cursor() as cursor:
        cursor.execute("SELECT credentials FROM crm_bridge_connection")
        return cursor.fetchone()[0]


def test_the_table_holds_ciphertext_only(account):
    assert stored().startswith("f1:")
    assert "api_key" not in stored()
    assert Connection.objects.get().credentials == SECRET


def test_same_secret_never_looks_the_same(account):
    first = stored()
    account.save()
    assert stored() != first


def test_a_wrong_key_raises_instead_of_handing_out_ciphertext(account, settings):
    settings.CREDENTIAL_KEYS = [OTHER]
    with pytest.raises(InvalidToken):
        Connection.objects.get()


def test_plain_text_in_the_table_is_not_taken_for_a_secret(account):
    with database.cursor() as cursor:
        cursor.execute("UPDATE crm_bridge_connection SET credentials = '{}'")
    with pytest.raises(ValueError, match="not encrypted"):
        Connection.objects.get()


def test_old_keys_read_and_the_newest_writes(account, settings):
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    assert Connection.objects.get().credentials == SECRET
    account.save()
    settings.CREDENTIAL_KEYS = [NEW]
    assert Connection.objects.get().credentials == SECRET


@pytest.mark.parametrize("lookup", ["exact", "startswith", "contains", "regex", "in", "gt"])
def test_secrets_cannot_be_searched(account, lookup):
    with pytest.raises(FieldError, match="cannot be searched"):
        Connection.objects.filter(**{f"credentials__{lookup}": "f1:"}).exists()


def test_only_their_absence_can_be_asked_for(account):
    assert not Connection.objects.filter(credentials__isnull=True).exists()


def test_dumps_carry_ciphertext(account):
    assert "bí mật" not in serializers.serialize("json", Connection.objects.all())


def test_rotate_credentials_makes_the_old_key_needless(account, settings, capsys):
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    call_command("rotate_credentials")
    assert "1 stored credentials now use the newest key" in capsys.readouterr().out
    settings.CREDENTIAL_KEYS = [NEW]
    assert Connection.objects.get().credentials == SECRET


def test_rotate_credentials_changes_nothing_when_one_cannot_be_read(account, settings):
    settings.CREDENTIAL_KEYS = [NEW]
    readable = make_connection(credentials=SECRET)
    settings.CREDENTIAL_KEYS = [OTHER, NEW]
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("rotate_credentials")
    settings.CREDENTIAL_KEYS = [NEW]
    assert Connection.objects.get(pk=readable.pk).credentials == SECRET
