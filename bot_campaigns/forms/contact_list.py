"""The address of a filtered contact list, as people copy it from the browser."""

from urllib.parse import urlsplit

from django.http import QueryDict
from django.utils.translation import gettext as _

from bot_campaigns.services.audience import Unusable
from crm_bridge.views.contacts import POSITION, Selection

_SHAPE = (*POSITION, "size", "sort")


def read_address(text: str) -> tuple[str, str]:
    """(query, its filters in words) of an address, or of a query alone. Raises ``Unusable``."""
    text = text.strip()
    query = QueryDict(urlsplit(text).query if "?" in text else text, mutable=True)
    for name in [name for name in query if name in _SHAPE or not any(query.getlist(name))]:
        del query[name]
    selection = Selection(query)
    unknown = sorted(set(query) - set(selection.filter.form.fields) - {"by"})
    if unknown:
        raise Unusable(_("This is no address of the contact list: it knows no “%s”.") % unknown[0][:60])
    words = " · ".join(f"{pill['label']}: {pill['value']}" for pill in selection.pills)
    return query.urlencode(), words
