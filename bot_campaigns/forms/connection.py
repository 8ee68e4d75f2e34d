"""The form of a bot's connection and of its streams."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from backoffice.connections import forms as shared
from bot_campaigns import vendors
from bot_campaigns.antbot.base import Option
from bot_campaigns.models import BotConnection, BotStreamState

OPTION = "option_"


class BotConnectionForm(shared.ConnectionForm):
    """Besides the secrets: what differs between accounts and no document settles."""

    vendors = vendors

    class Meta:
        model = BotConnection
        fields = shared.FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "base_url" not in self.fields:
            return  # the page only shows
        for option in self.connector.options:
            self.fields[OPTION + option.name] = _choice(option, self.instance.measured)

    def options(self) -> dict[str, str]:
        """The chosen switches, by name."""
        return {
            option.name: self.cleaned_data[OPTION + option.name]
            for option in self.connector.options
            if OPTION + option.name in self.cleaned_data
        }


def _choice(option: Option, measured: dict[str, Any]) -> forms.ChoiceField:
    usual = option.choices[0][0]
    return forms.ChoiceField(
        label=option.label,
        choices=option.choices,
        initial=measured.get(option.name, usual),
        help_text=option.help,
        widget=UnfoldAdminSelectWidget(),
    )


class BotStreamForm(shared.StreamForm):
    class Meta:
        model = BotStreamState
        fields = ("every",)
