"""Why a change of a contact is not taken: nothing was written, the message says it in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from crm_bridge.models import Contact


class NotWritable(Exception):
    """This contact or connection takes no such change now; the message says why."""


@dataclass(frozen=True, slots=True)
class SomebodysEdit:
    """What somebody saved after the form was opened."""

    who: str
    when: datetime
    fields: Mapping[str, Sequence[Any]]
    """Field → [before, after]."""


class VersionClash(Exception):
    """The contact was saved by somebody since the form was opened; nothing was written."""

    def __init__(self, contact: Contact, edits: Sequence[SomebodysEdit]) -> None:
        self.contact, self.edits = contact, edits
        who = ", ".join(dict.fromkeys(edit.who for edit in edits)) or _("somebody")
        super().__init__(_("%s changed this contact after you opened it.") % who)
