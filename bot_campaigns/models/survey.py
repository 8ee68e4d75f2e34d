"""What a call says and which way it goes out."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models.mirrored import Mirrored


class Gateway(Mirrored):
    name = models.CharField(_("name"), max_length=200)
    is_enabled = models.BooleanField(_("active"), default=False)
    description = models.TextField(_("description"), blank=True)
    add_prefix = models.CharField(_("adds"), max_length=60, blank=True)
    remove_prefix = models.CharField(_("removes"), max_length=60, blank=True)
    is_trial = models.BooleanField(_("trial"), default=False)
    maximum_calls = models.PositiveIntegerField(_("calls at once"), null=True, blank=True)

    class Meta(Mirrored.Meta):
        verbose_name = _("gateway")
        verbose_name_plural = _("gateways")
        default_permissions = ("view",)
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SurveyTemplate(Mirrored):
    name = models.CharField(_("name"), max_length=200)
    language = models.CharField(_("language"), max_length=10, blank=True)
    description = models.TextField(_("description"), blank=True)

    class Meta(Mirrored.Meta):
        verbose_name = _("survey template")
        verbose_name_plural = _("survey templates")
        default_permissions = ("view", "add", "change")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Section(Mirrored):
    """One step of a template. The bot's API lists none: known from our own writes and its answers."""

    template = models.ForeignKey(SurveyTemplate, on_delete=models.CASCADE, related_name="sections")
    type = models.PositiveSmallIntegerField(_("type"), default=1)
    question = models.CharField(_("name"), max_length=500)
    script = models.TextField(_("text"), blank=True)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta(Mirrored.Meta):
        verbose_name = _("section")
        verbose_name_plural = _("sections")
        default_permissions = ("view", "add", "change")
        ordering = ["order", "id"]

    def __str__(self) -> str:
        return self.question


class SealedSurvey(Mirrored):
    """The copy that a first start makes of a template; reminders need one."""

    name = models.CharField(_("name"), max_length=200)
    language = models.CharField(_("language"), max_length=10, blank=True)
    description = models.TextField(_("description"), blank=True)

    class Meta(Mirrored.Meta):
        verbose_name = _("sealed survey")
        verbose_name_plural = _("sealed surveys")
        default_permissions = ("view",)
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
