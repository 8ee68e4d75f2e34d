"""Forms of the calling rules and of the vendor's clock."""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models import CallingRules
from bot_campaigns.plan import profile_errors
from bot_campaigns.profiles import FIELDS

INPUT = {"class": "bo-input"}


@cache
def zones() -> list[tuple[str, str]]:
    """Every zone by its name."""
    return [(name, name) for name in sorted(available_timezones()) if name not in ("localtime", "Factory")]


def _column(name: str) -> Any:
    return CallingRules._meta.get_field(name)


def _whole(name: str, least: int, most: int) -> forms.IntegerField:
    field = _column(name)
    return forms.IntegerField(
        label=field.verbose_name,
        help_text=field.help_text,
        min_value=least,
        max_value=most,
        widget=forms.NumberInput(attrs=INPUT),
    )


def _time(name: str) -> forms.TimeField:
    label = _column(name).verbose_name
    return forms.TimeField(
        label=label, widget=forms.TimeInput(format="%H:%M", attrs={**INPUT, "type": "time"})
    )


DAYS = (
    ("1", _("Monday")), ("2", _("Tuesday")), ("3", _("Wednesday")), ("4", _("Thursday")),
    ("5", _("Friday")), ("6", _("Saturday")), ("7", _("Sunday")),
)  # fmt: skip


class RulesForm(forms.Form):
    """Every rule. What is wrong is told at its field, in the words of ``plan.profile_errors``."""

    zone = forms.ChoiceField(
        label=_("Company's zone"), choices=zones, widget=forms.Select(attrs=INPUT),
        help_text=_("The hours hold there and, for each number, also where it rings."),
    )  # fmt: skip
    window_start = _time("window_start")
    window_end = _time("window_end")
    weekdays = forms.MultipleChoiceField(
        label=_("Weekdays"), choices=DAYS, required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "bo-check"}),
    )  # fmt: skip
    hours_between_calls = _whole("hours_between_calls", 0, 24 * 90)
    dnc_required = forms.BooleanField(
        label=_("Do-not-call lists are checked"), required=False,
        help_text=_("Suppressed numbers are never called, whatever this says."),
    )  # fmt: skip
    dnc_max_age_minutes = _whole("dnc_max_age_minutes", 1, 31 * 24 * 60)
    mirror_max_age_minutes = _whole("mirror_max_age_minutes", 1, 31 * 24 * 60)
    consent_required = forms.BooleanField(label=_("Consent is required"), required=False)
    consent_tag = forms.CharField(
        label=_("Tag that states consent"), required=False, max_length=200,
        widget=forms.TextInput(attrs=INPUT),
    )  # fmt: skip
    frequency_cap = _whole("frequency_cap", 1, 1000)
    type_above = _whole("type_above", 0, 1_000_000)

    def clean_weekdays(self) -> str:
        return "".join(sorted(self.cleaned_data["weekdays"]))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            rules = CallingRules(**{name: data[name] for name in FIELDS})
            for name, words in profile_errors(rules).items():
                self.add_error(name, words)
        return data


class VendorClockForm(forms.Form):
    """The zone, how it was found out, and a person's word for it."""

    zone = forms.ChoiceField(label=_("Zone of its daily hours"), widget=forms.Select(attrs=INPUT))
    evidence = forms.CharField(
        label=_("How it was found out"), max_length=300, widget=forms.Textarea(attrs={**INPUT, "rows": 2})
    )
    sure = forms.BooleanField(
        label=_("I have seen it: a test call rang inside these hours, or the vendor has said so in writing.")
    )

    def __init__(self, *args: Any, likely: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        first = [(name, name) for name in likely]
        rest = [pair for pair in zones() if pair not in first]
        self.fields["zone"].choices = [  # type: ignore[attr-defined]
            ("", "—"), (_("Likely"), first), (_("All"), rest),
        ]  # fmt: skip
