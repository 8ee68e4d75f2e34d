"""Numbers and addresses that several live contacts share: the groups of "Same person"."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SharedReach(models.Model):
    """One phone or e-mail of several contacts, as counted at ``counted_at``."""

    class Kind(models.TextChoices):
        PHONE = "phone", _("phone")
        EMAIL = "email", _("e-mail")

    kind = models.CharField(_("kind"), max_length=5, choices=Kind.choices)
    value = models.CharField(_("value"), max_length=320)
    """The number as E.164, or the folded address."""
    contacts = models.PositiveIntegerField(_("contacts"))
    connections = models.PositiveIntegerField(_("CRMs"))
    counted_at = models.DateTimeField(_("counted"), default=timezone.now)

    class Meta:
        verbose_name = _("shared phone or e-mail")
        verbose_name_plural = _("same person")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["kind", "value"], name="shared_value")]
        indexes = [models.Index(fields=["-connections", "contacts", "id"], name="shared_order")]

    def __str__(self) -> str:
        return self.value
