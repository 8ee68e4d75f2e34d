"""Credentials at rest: one encrypted model field."""

import json
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models

PREFIX = "f1:"

if TYPE_CHECKING:

    class _TextField(models.TextField[Any, Any]):
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any
else:
    _TextField = models.TextField


class EncryptedJSONField(_TextField):
    """A dict kept encrypted (Fernet, keys of ``settings.CREDENTIAL_KEYS``, newest first).

    A value that no key decrypts raises ``cryptography.fernet.InvalidToken``:
    ciphertext must never travel to a vendor as if it were the secret. Only
    ``isnull`` can be looked up, so no filter can guess a secret letter by letter.
    """

    def _cipher(self) -> MultiFernet:
        return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])

    def get_prep_value(self, value: Any) -> Any:
        if value is None:
            return None
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return PREFIX + self._cipher().encrypt(text.encode()).decode()

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        if value is None:
            return None
        if not value.startswith(PREFIX):
            raise ValueError("stored credentials are not encrypted")
        return json.loads(self._cipher().decrypt(value[len(PREFIX) :].encode()))

    def to_python(self, value: Any) -> Any:
        return value

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError("encrypted values cannot be searched")
        return super().get_lookup(lookup_name)

    def value_to_string(self, obj: models.Model) -> str:
        """Dumps carry ciphertext, never the secret."""
        return self.get_prep_value(self.value_from_object(obj)) or ""
