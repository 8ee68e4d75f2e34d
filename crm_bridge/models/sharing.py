"""Numbers and addresses that several live contacts share: the groups of "Same person"."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SharedReach(models.Model):
    """One phone or e-mail of several contacts, as it was last counted."""

    class Kind(models.TextChoices):
        PHONE = "phone", _("phone")
        EMAIL = "email", _("e-mail")

    kind = models.CharField(_("kind"), max_length=5, choices=Kind.choices)
    value = models.CharField(_("value"), max_length=320)
    """The number as E.164, or the folded address."""
    contacts = models.PositiveIntegerField(_("contacts"))
    connections = models.PositiveIntegerField(_("CRMs"))

    class Meta:
        verbose_name = _("shared phone or e-mail")
        verbose_name_plural = _("same person")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["kind", "value"], name="shared_value")]
        indexes = [models.Index(fields=["-connections", "contacts", "id"], name="shared_order")]

    def __str__(self) -> str:
        return self.value


class SharingCount(models.Model):
    """When the groups were counted; one row."""

    counted_at = models.DateTimeField(_("counted"), default=timezone.now)
    groups = models.PositiveIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.groups} {self.counted_at:%Y-%m-%d %H:%M}"
