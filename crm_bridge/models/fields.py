"""Custom fields as a CRM defines them, and the values of contacts that lists filter by."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_bridge.models.connection import Connection
from crm_bridge.models.contact import Contact
from crm_bridge.records import FieldChoice, FieldDefinition, FieldType

FILTERABLE = frozenset(
    {
        FieldType.TEXT, FieldType.NUMBER, FieldType.DATE, FieldType.DATETIME, FieldType.BOOLEAN,
        FieldType.SELECT, FieldType.RADIO, FieldType.CHECKBOX,
    }
)  # fmt: skip
"""Types whose values have rows of their own, so that a list can be filtered by them."""
CHOSEN = frozenset({FieldType.SELECT, FieldType.RADIO, FieldType.CHECKBOX})


class CustomField(models.Model):
    """One custom field of one account, as the CRM defined it when it was last asked."""

    class Type(models.TextChoices):
        TEXT = "text", _("text")
        LONG_TEXT = "long_text", _("long text")
        NUMBER = "number", _("number")
        DATE = "date", _("date")
        TIME = "time", _("time")
        DATETIME = "datetime", _("date and time")
        LINK = "link", _("link")
        BOOLEAN = "boolean", _("yes or no")
        SELECT = "select", _("one of a list")
        RADIO = "radio", _("one of a few")
        CHECKBOX = "checkbox", _("any of a few")

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="custom_fields")
    key = models.CharField(_("key"), max_length=200)
    label = models.CharField(_("label"), max_length=200)
    type = models.CharField(_("type"), max_length=10, choices=Type.choices, default=Type.TEXT)
    choices = models.JSONField(_("choices"), default=list, blank=True)
    """``[[value, label], …]`` in the CRM's order."""
    required = models.BooleanField(_("required"), default=False)
    editable = models.BooleanField(_("editable"), default=True)
    help = models.CharField(_("help"), max_length=500, blank=True)
    position = models.PositiveIntegerField(default=0)
    seen_at = models.DateTimeField(_("last read"), default=timezone.now)
    gone_at = models.DateTimeField(_("gone"), null=True, blank=True)
    """The CRM does not define it any more; values that contacts still carry keep their label."""

    class Meta:
        verbose_name = _("custom field")
        verbose_name_plural = _("custom fields")
        ordering = ["connection", "position", "id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["connection", "key"], name="custom_field_key")]

    def __str__(self) -> str:
        return self.label

    @property
    def definition(self) -> FieldDefinition:
        return FieldDefinition(
            key=self.key,
            label=self.label,
            type=FieldType(self.type),
            choices=tuple(FieldChoice(str(value), str(label)) for value, label in self.choices),
            required=self.required,
            editable=self.editable,
            help=self.help,
        )


class ContactFieldValue(models.Model):
    """One value of one custom field of one contact; the truth is ``Contact.custom_fields``."""

    field = models.ForeignKey(CustomField, on_delete=models.CASCADE, related_name="values")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="field_values")
    value = models.CharField(max_length=200)
    """Folded text, the value of a choice, an ISO date or moment, ``true`` or ``false``."""
    number = models.FloatField(null=True, blank=True)

    class Meta:
        verbose_name = _("value of a custom field")
        default_permissions = ()
        indexes = [
            models.Index(fields=["field", "value", "contact"], name="field_value"),
            models.Index(
                fields=["field", "number", "contact"], name="field_number", condition=Q(number__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.field_id}: {self.value}"


def filterable(field: Any) -> bool:
    """Whether lists can be filtered by this field."""
    return FieldType(field.type) in FILTERABLE
