"""Encrypts all stored credentials again with the newest key."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from backoffice.fields import EncryptedJSONField


class Command(BaseCommand):
    help = (
        "Encrypt all stored credentials again with the newest key (the first of CREDENTIAL_KEYS). "
        "Afterwards the older keys can be taken out."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        done = 0
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if not isinstance(field, EncryptedJSONField):
                    continue
                rows = model._default_manager.exclude(**{f"{field.name}__isnull": True}).select_for_update()
                for pk in list(rows.values_list("pk", flat=True)):
                    row = model._default_manager.filter(pk=pk)
                    try:
                        secret = row.values_list(field.name, flat=True).get()
                    except (InvalidToken, ValueError):
                        raise CommandError(
                            f"No key of CREDENTIAL_KEYS reads {field.name} of "
                            f"{model._meta.verbose_name} {pk}. Nothing was changed."
                        ) from None
                    row.update(**{field.name: secret})
                    done += 1
        self.stdout.write(f"{done} stored credentials now use the newest key.")
