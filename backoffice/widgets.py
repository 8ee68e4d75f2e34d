"""Form widgets of ours."""

from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


class FlatSelect(forms.Select):
    """A select written in one go.

    Django renders two templates for each option, which on a page of filters costs more
    than its whole table.
    """

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        widget = self.get_context(name, value, attrs)["widget"]
        options = (option for _group, group, _index in widget["optgroups"] for option in group)
        return format_html(
            '<select name="{}"{}>{}</select>',
            widget["name"],
            flatatt(widget["attrs"]),
            format_html_join(
                "",
                '<option value="{}"{}>{}</option>',
                ((each["value"], flatatt(each["attrs"]), each["label"]) for each in options),
            ),
        )
