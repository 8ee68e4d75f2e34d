"""The three forms of a new campaign: whom, what, when and how fast.

A draft may be left incomplete; what is wrong is wrong at once, what is missing only when
somebody goes on to the next step.
"""

from dataclasses import replace
from datetime import tzinfo
from typing import Any

from django import forms
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from bot_campaigns import plan as plans
from bot_campaigns.forms.contact_list import read_address
from bot_campaigns.models import BotConnection, Gateway, Launch, Phonebook, SurveyTemplate
from bot_campaigns.services import drafts, preflight
from bot_campaigns.services.audience import Unusable

PHONEBOOKS_OFFERED = 500
Audience = Launch.Audience
_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]


class LocalMoment(forms.DateTimeField):
    """A moment on the company's clock, which need not be that of the server."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args, input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"], **kwargs
        )
        self.zone: tzinfo = timezone.get_default_timezone()

    def prepare_value(self, value: Any) -> Any:
        return timezone.make_naive(value, self.zone) if hasattr(value, "tzinfo") and value.tzinfo else value

    def to_python(self, value: Any) -> Any:
        with timezone.override(self.zone):
            return super().to_python(value)


class LaunchForm(forms.Form):
    """One step. ``save`` writes it to the draft."""

    def __init__(self, *args: Any, launch: Launch | None = None, **kwargs: Any) -> None:
        self.launch = launch
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if not isinstance(field.widget, forms.HiddenInput | forms.RadioSelect):
                field.widget.attrs.setdefault("class", "bo-input")

    def values(self) -> dict[str, Any]:
        """What is to be written, by the names of the draft's columns."""
        return dict(self.cleaned_data)

    def missing(self) -> dict[str, str]:
        """What is still missing or against the rules, by field: asked when somebody goes on."""
        return {}

    def complete(self) -> bool:
        """Whether one may go on; what is in the way becomes errors of the fields."""
        for name, words in self.missing().items():
            self.add_error(name if name in self.fields else None, words)
        return self.is_valid()


class AudienceForm(LaunchForm):
    name = forms.CharField(
        label=_("Name of the campaign"),
        max_length=80,
        help_text=_("Staff and AntBOT see it, not those called."),
    )
    connection = forms.ModelChoiceField(
        BotConnection.objects.none(), label=_("Account"), empty_label=None, required=False
    )
    kind = forms.ChoiceField(label=_("Audience"), choices=Audience.choices)
    address = forms.CharField(
        label=_("Address of the contact list"),
        max_length=3000,
        required=False,
        help_text=_("Filter the contact list, then press “Call these…” there, or paste its address here."),
    )
    phonebook = forms.ModelChoiceField(Phonebook.objects.none(), label=_("Phonebook"), required=False)
    file = forms.FileField(
        label=_("CSV or XLSX"),
        required=False,
        allow_empty_file=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.xlsx,text/csv"}),
        help_text=_("The first row names the columns: number, name, email. At most 200,000 rows and 16 MB."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        connections = BotConnection.objects.filter(is_active=True).defer("credentials")
        if self.launch is not None:
            connections = BotConnection.objects.defer("credentials").filter(
                Q(is_active=True) | Q(pk=self.launch.connection_id)
            )
        self.connections = list(connections)
        connection: Any = self.fields["connection"]
        connection.queryset = connections
        phonebook: Any = self.fields["phonebook"]
        phonebook.queryset = Phonebook.objects.filter(gone_at__isnull=True).select_related("connection")
        phonebook.choices = self._phonebooks()

    def _phonebooks(self) -> list[tuple[Any, str]]:
        """Those that people made: each launch makes one, and these hold what was called already."""
        books = Phonebook.objects.filter(gone_at__isnull=True, launches__isnull=True)
        chosen = str(self["phonebook"].value() or "")
        rows = list(books.order_by("-pk").values_list("pk", "name", "connection__name")[:PHONEBOOKS_OFFERED])
        if chosen.isdecimal() and int(chosen) not in {pk for pk, _name, _account in rows}:
            rows += Phonebook.objects.filter(pk=chosen).values_list("pk", "name", "connection__name")
        several = len(self.connections) > 1
        return [("", "–"), *((pk, f"{name} · {account}" if several else name) for pk, name, account in rows)]

    @property
    def offered(self) -> list[tuple[str, Any]]:
        """The kinds that can be chosen here; chosen contacts and unreached come with a draft."""
        brought = {self.launch.audience} if self.launch is not None else set()
        kinds = {Audience.FILTER, Audience.PHONEBOOK, Audience.UPLOAD} | brought
        return [(str(value), label) for value, label in Audience.choices if value in kinds]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if not data.get("connection"):
            if len(self.connections) != 1:
                self.add_error("connection", _g("Choose the account that calls."))
                return data
            data["connection"] = self.connections[0]
        kind = data.get("kind")
        if kind not in dict(self.offered):
            self.add_error("kind", _g("Choose whom to call."))
            return data
        try:
            self.audience = self._audience(str(kind), data)
        except Unusable as why:
            self.add_error({"filter": "address", "phonebook": "phonebook"}.get(str(kind), "kind"), str(why))
        return data

    def _audience(self, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        if kind == Audience.FILTER:
            if not data.get("address"):
                raise Unusable(_g("Paste the address of the filtered contact list."))
            return drafts.of_filter(*read_address(data["address"]))
        if kind == Audience.PHONEBOOK:
            book = data.get("phonebook")
            if book is None:
                raise Unusable(_g("Choose a phonebook."))
            if book.connection_id != data["connection"].pk:
                raise Unusable(_g("This phonebook is of another account."))
            return drafts.of_phonebook(book)
        kept = self.launch is not None and self.launch.audience == kind
        if kind == Audience.UPLOAD and not data.get("file") and not kept and "file" not in self.errors:
            self.add_error("file", _g("Choose a file."))
        return {} if kept else {"audience": kind}

    def values(self) -> dict[str, Any]:
        found = {
            "name": self.cleaned_data["name"],
            "connection": self.cleaned_data["connection"],
            **self.audience,
        }
        if self.launch is not None and self.launch.connection_id != found["connection"].pk:
            # the other account has other templates and gateways
            found |= {"template": None, "gateway": drafts.usual(found["connection"])["gateway"]}
        return found

    @property
    def upload(self) -> tuple[Any, str] | None:
        """The file to read, where one was chosen and is meant."""
        file: Any = self.cleaned_data.get("file")
        if not file or self.cleaned_data.get("kind") != Audience.UPLOAD:
            return None
        return file, file.name or ""


class MessageForm(LaunchForm):
    template = forms.ModelChoiceField(
        SurveyTemplate.objects.none(), label=_("Survey template"), required=False,
        help_text=_("What the bot says and asks."),
    )  # fmt: skip
    gateway = forms.ModelChoiceField(
        Gateway.objects.none(), label=_("Gateway"), required=False, help_text=_("Which way the calls go out.")
    )
    callerid = forms.CharField(
        label=_("Caller"), max_length=80, required=False, help_text=_("Shown on the phone that rings.")
    )
    description = forms.CharField(
        label=_("Description"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    launch: Launch

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        connection = self.launch.connection_id
        template: Any = self.fields["template"]
        template.queryset = SurveyTemplate.objects.filter(
            Q(gone_at__isnull=True) | Q(pk=self.launch.template_id), connection=connection
        ).annotate(steps=Count("sections", filter=Q(sections__gone_at__isnull=True)))
        template.label_from_instance = _template_words
        gateway: Any = self.fields["gateway"]
        gateway.queryset = Gateway.objects.filter(
            Q(gone_at__isnull=True) | Q(pk=self.launch.gateway_id), connection=connection
        ).order_by("-is_enabled", "name")
        gateway.label_from_instance = _gateway_words

    def missing(self) -> dict[str, str]:
        errors = preflight.form_errors(self._filled())
        return {name: words for name, words in errors.items() if name in ("template", "gateway")}

    def _filled(self) -> Launch:
        for name in ("template", "gateway"):
            setattr(self.launch, name, self.cleaned_data.get(name))
        return self.launch


def _template_words(row: Any) -> Any:
    if row.gone_at is not None:
        return _g("%s (not listed any more)") % row.name
    return row.name if row.steps else _g("%s (no section: says nothing)") % row.name


def _gateway_words(row: Gateway) -> str:
    return row.name if row.is_enabled else _g("%s (not active)") % row.name


class PaceForm(LaunchForm):
    starts_at = LocalMoment(label=_("From"), required=False)
    expires_at = LocalMoment(label=_("Until"), required=False)
    daily_start = forms.TimeField(
        label=_("Daily from"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    daily_stop = forms.TimeField(
        label=_("Daily until"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    frequency = forms.IntegerField(label=_("Calls a minute"), min_value=1, max_value=10_000)
    not_called_days = forms.IntegerField(
        label=_("Not called in the last (days)"), min_value=0, max_value=3_650,
        help_text=_("Numbers called in so many days are left out. The calling rules may ask for more."),
    )  # fmt: skip

    launch: Launch

    def __init__(self, *args: Any, zone: tzinfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("starts_at", "expires_at"):
            moment: Any = self.fields[name]
            moment.zone = zone

    def missing(self) -> dict[str, str]:
        for name, value in self.cleaned_data.items():
            setattr(self.launch, name, value)
        rules = preflight.rules_of(self.launch.connection)
        # message and gateway have their own step
        plan = replace(preflight.plan_of(self.launch), gateway_active=True, sections=1)
        return plans.form_errors(plan, rules, timezone.now())
