"""The form of a connection, made from what its connector needs, and of its streams."""

from typing import Any, Protocol

from cryptography.fernet import InvalidToken
from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from backoffice.remote.target import check_base_url

PREFIX = "credential_"
HINT = 4
"""Last characters of a secret that are shown, where it is long enough to spare them."""


class Vendors(Protocol):
    """What an app knows of its vendors; its registry module is one."""

    def kinds(self) -> list[tuple[str, str]]:
        """(kind, label) of every vendor."""

    def connector_class(self, kind: str) -> Any:
        """Has ``label``, ``credential_fields``, ``default_base_url`` and ``capabilities``."""


FIELDS = ("name", "vendor", "base_url", "is_active", "requests_per_second", "parallel_requests")


class ConnectionForm(forms.ModelForm):
    """Secrets go in and never come out: blank keeps what is stored.

    An app names the model in its ``Meta`` and its ``vendors``.
    """

    vendors: Vendors

    elsewhere = False
    """After cleaning: the address leads to another host than before."""

    base_url = forms.CharField(max_length=300, label=gettext_lazy("Base URL"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "base_url" not in self.fields:
            return  # the page only shows
        self.vendor = self._vendor()
        self.connector = self.vendors.connector_class(self.vendor)
        self.fields["base_url"].widget = UnfoldAdminTextInputWidget()
        self.fields["base_url"].help_text = _(
            "https, without a path of a single call. Another host asks for the secrets again."
        )
        if "vendor" in self.fields:
            self.fields["vendor"].initial = self.vendor
        if not self.instance.pk:
            self.fields["base_url"].initial = self.connector.default_base_url
        stored = self.stored()
        for field in self.connector.credential_fields:
            self.fields[PREFIX + field.name] = _credential_input(field, stored.get(field.name, ""))
        self.fields["requests_per_second"].widget.attrs["min"] = 0
        self.fields["parallel_requests"].widget.attrs |= {"min": 1, "max": 16}

    def _vendor(self) -> str:
        kinds = dict(self.vendors.kinds())
        asked = self.instance.vendor or self.data.get("vendor") or self.initial.get("vendor")
        return asked if asked in kinds else next(iter(kinds))

    def stored(self) -> dict[str, str]:
        """The credentials as stored; empty when none, or when no key reads them any more."""
        if not self.instance.pk:
            return {}
        try:
            found = self._meta.model._default_manager.values_list("credentials", flat=True).get(
                pk=self.instance.pk
            )
        except (InvalidToken, ValueError):  # the form must open, to correct it
            return {}
        return dict(found or {})

    def clean_base_url(self) -> str:
        address = str(self.cleaned_data["base_url"]).strip().rstrip("/")
        try:
            check_base_url(address, allow_loopback=settings.ALLOW_LOOPBACK)
        except ValueError as problem:
            raise forms.ValidationError(str(problem)) from None
        return address

    def clean_requests_per_second(self) -> float:
        rate = self.cleaned_data["requests_per_second"]
        if not 0 <= rate <= 1000:
            raise forms.ValidationError(_("From 0 (no limit) to 1000 requests per second."))
        return float(rate)

    def clean_parallel_requests(self) -> int:
        number = self.cleaned_data["parallel_requests"]
        if not 1 <= number <= 16:
            raise forms.ValidationError(_("From 1 to 16 requests at once."))
        return int(number)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        address = data.get("base_url")
        self.elsewhere = bool(address and self.leads_elsewhere(address))
        kept = {} if self.elsewhere else self.stored()
        for field in self.connector.credential_fields:
            name = PREFIX + field.name
            value = (data.get(name) or "").strip() or kept.get(field.name, "")
            if value and not value.isprintable():
                self.add_error(name, _("Holds characters that cannot be typed."))
            if field.required and not value and address and name not in self.errors:
                self.add_error(
                    name,
                    _("Enter it again: the address now leads to another host.")
                    if self.instance.pk and self.stored()
                    else _("This system needs it."),
                )
            if value:
                kept[field.name] = value
        data["credentials"] = {
            f.name: kept[f.name] for f in self.connector.credential_fields if f.name in kept
        }
        return data

    def leads_elsewhere(self, address: str) -> bool:
        """A stored secret belongs to the host it was entered for, and to no other."""
        if not self.instance.pk:
            return True
        rows = self._meta.model._default_manager.filter(pk=self.instance.pk)
        before = rows.values_list("base_url", flat=True).get()
        try:
            return (
                check_base_url(before, allow_loopback=True).origin
                != check_base_url(address, allow_loopback=True).origin
            )
        except ValueError:
            return True


def _credential_input(field: Any, stored: str) -> forms.Field:
    help_text = field.help
    if field.secret:
        widget: forms.Widget = UnfoldAdminPasswordWidget(
            attrs={"autocomplete": "new-password", "spellcheck": "false"}, render_value=False
        )
        if stored:
            ending = f" …{stored[-HINT:]}" if len(stored) >= 4 * HINT else ""
            help_text = " ".join([_("Stored") + f"{ending}.", _("Leave blank to keep it."), str(field.help)])
        return forms.CharField(
            label=field.label, required=False, widget=widget, help_text=help_text, strip=True
        )
    return forms.CharField(
        label=field.label,
        required=False,
        initial=stored,
        help_text=help_text,
        widget=UnfoldAdminTextInputWidget(),
    )


class StreamForm(forms.ModelForm):
    """How often a stream is pulled."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = f"{self.instance.stream}: {field.label}"

    def clean_every(self) -> int:
        every = int(self.cleaned_data["every"])
        if every and every < 30:
            raise forms.ValidationError(_("At least 30 seconds, or 0 for only by hand."))
        return every
