"""Forms for phonebooks, call flows, do-not-call lists and suppressions."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from bot_campaigns.forms.base import DeskForm
from bot_campaigns.models import BotConnection
from bot_campaigns.services.call_flows import LANGUAGES, LONGEST_QUESTION, LONGEST_SCRIPT, TYPE_NAMES
from bot_campaigns.services.changes import NAME_LENGTHS

CODE = len(" · xxxxxx")


def accounts() -> Any:
    return BotConnection.objects.filter(is_active=True).defer("credentials").order_by("name")


class AccountForm(DeskForm):
    """Something new at one of the accounts; with a single account nobody is asked which."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = forms.ModelChoiceField(queryset=accounts(), label=_("Account"), empty_label=None)
        field.widget.attrs["class"] = "bo-input"
        rows = list(accounts()[:2])
        if len(rows) == 1:
            field.initial = rows[0]
            field.widget = forms.HiddenInput()
        self.fields["connection"] = field


def _name(family: str) -> forms.CharField:
    return forms.CharField(label=_("Name"), max_length=NAME_LENGTHS[family] - CODE)


def _description() -> forms.CharField:
    return forms.CharField(
        label=_("Description"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 3})
    )


class NewPhonebook(AccountForm):
    wide = ("name", "description")
    name = _name("phonebooks")
    description = _description()


class PhonebookForm(DeskForm):
    wide = ("name", "description")
    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTHS["phonebooks"])
    description = _description()


class NumberForm(DeskForm):
    """One number of a phonebook."""

    number = forms.CharField(
        label=_("Number"), max_length=60, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    email = forms.EmailField(label=_("E-mail"), required=False, max_length=254)
    last_name = forms.CharField(label=_("Last name"), required=False, max_length=120)
    first_name = forms.CharField(label=_("First name"), required=False, max_length=120)
    description = _description()
    is_enabled = forms.BooleanField(
        label=_("Active: a campaign with this phonebook calls the number"), required=False, initial=True
    )
    wide = ("description", "is_enabled")


class NewTemplate(AccountForm):
    wide = ("name", "description")
    name = _name("templates")
    language = forms.ChoiceField(label=_("Language"), choices=LANGUAGES)
    description = _description()


class SectionForm(DeskForm):
    wide = ("script",)
    question = forms.CharField(label=_("Name"), max_length=LONGEST_QUESTION)
    type = forms.TypedChoiceField(
        label=_("What it does"), choices=[(int(key), words) for key, words in TYPE_NAMES.items()], coerce=int
    )
    script = forms.CharField(
        label=_("Text that is spoken"), required=False, max_length=LONGEST_SCRIPT,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text=_("At most 1,000 characters. {first_name} and other variables of a number can be spoken."),
    )  # fmt: skip


class NewDncList(AccountForm):
    wide = ("name", "description")
    name = _name("dnc_lists")
    description = _description()


class DncNumberForm(DeskForm):
    wide = ("number",)
    number = forms.CharField(
        label=_("Number"), max_length=60, widget=forms.TextInput(attrs={"inputmode": "tel"}),
        help_text=_("AntBOT takes nothing off its lists: this cannot be undone through its interface."),
    )  # fmt: skip


class SuppressForm(DeskForm):
    wide = ("numbers", "reason")
    numbers = forms.CharField(
        label=_("Numbers"), max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, "inputmode": "tel"}),
        help_text=_("One a line, in any writing."),
    )  # fmt: skip
    reason = forms.CharField(label=_("Why"), max_length=300)


class SuppressFileForm(DeskForm):
    wide = ("file", "reason")
    file = forms.FileField(
        label=_("CSV or XLSX"), help_text=_("The first row names the columns; one of them is “number”.")
    )
    reason = forms.CharField(label=_("Why"), max_length=300)


class LiftForm(DeskForm):
    wide = ("reason",)
    reason = forms.CharField(label=_("Why may this number be called again?"), max_length=300)
