"""Base of the lists: one look, cards on a phone, rows that open on click and Enter."""

from typing import Any, ClassVar

import django_tables2 as tables
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from backoffice.templatetags.backoffice import age


class ListTable(tables.Table):
    """``facts`` are the columns a phone-sized card keeps; ``row_url`` opens a row."""

    facts: ClassVar[tuple[str, ...]] = ()

    class Meta:
        template_name = "backoffice/table.html"
        orderable = False

    def row_url(self, record: Any) -> str:
        return ""

    def get_rows(self) -> list[tuple[str, Any]]:
        """(address, row) for the template."""
        return [(self.row_url(row.record), row) for row in self.rows]


class AgeColumn(tables.Column):
    """ "2 min ago", the exact time on hover."""

    def render(self, value: Any) -> str:
        return age(value)


class SelectColumn(tables.Column):
    """A checkbox that belongs to the form with id ``bulk``, wherever that stands."""

    def __init__(self, **extra: Any) -> None:
        super().__init__(accessor="pk", verbose_name=_("Select"), **extra)

    @property
    def header(self) -> str:
        return format_html(
            '<input type="checkbox" class="bo-check" data-select-all aria-label="{}">', _("Select all rows")
        )

    def render(self, value: Any, record: Any) -> str:
        return format_html(
            '<input type="checkbox" class="bo-check" name="selected" value="{}" form="bulk" aria-label="{}">',
            value,
            _("Select %(row)s") % {"row": record},
        )
