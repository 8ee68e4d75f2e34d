"""Lists of numbers as the bot holds them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models.mirrored import Mirrored, Number
from crm_bridge.models import Contact


class Phonebook(Mirrored):
    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)

    class Meta(Mirrored.Meta):
        verbose_name = _("phonebook")
        verbose_name_plural = _("phonebooks")
        default_permissions = ("view", "add", "change")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class BotContact(Mirrored, Number):
    """One number of a phonebook."""

    phonebook = models.ForeignKey(Phonebook, on_delete=models.CASCADE, related_name="contacts")
    first_name = models.CharField(_("first name"), max_length=200, blank=True)
    last_name = models.CharField(_("last name"), max_length=200, blank=True)
    email = models.CharField(_("e-mail"), max_length=320, blank=True)
    description = models.TextField(_("description"), blank=True)
    is_enabled = models.BooleanField(_("active"), default=True)
    additional_vars = models.JSONField(_("variables"), default=dict, blank=True)
    contact = models.ForeignKey(
        Contact, verbose_name=_("contact"), null=True, blank=True, on_delete=models.SET_NULL,
        related_name="bot_contacts",
    )  # fmt: skip

    class Meta(Mirrored.Meta):
        verbose_name = _("bot contact")
        verbose_name_plural = _("bot contacts")
        default_permissions = ("view", "add", "change")
        ordering = ["id"]
        indexes = [models.Index(fields=["e164"], name="bot_contact_e164", condition=~Q(e164=""))]

    def __str__(self) -> str:
        return self.number
