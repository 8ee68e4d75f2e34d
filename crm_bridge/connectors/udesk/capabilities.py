"""What Udesk can do, as its page says, and what is assumed where it says nothing."""

from __future__ import annotations

from crm_bridge.connectors.base import (
    Capabilities,
    Changes,
    CredentialField,
    Deletions,
    Merges,
    PanelSpec,
    Stream,
)
from crm_bridge.connectors.udesk.client import EXPORT_SIZE, IMPORT_SIZE
from crm_bridge.records import Kind

HISTORY = "history"

FIELDS = frozenset(
    {"name", "phones", "emails", "social_accounts", "note", "stage", "tags", "responsible", "custom_fields"}
)

CREDENTIALS = (
    CredentialField(
        "email",
        "Administrator's e-mail",
        secret=False,
        help="The address of an administrator of the account; calls are signed with it.",
    ),
    CredentialField(
        "api_token", "API token", help="The open API token from the management centre of the account."
    ),
)

CAPABILITIES = Capabilities(
    streams=(Stream.CONTACTS,),
    changes=Changes.NONE,
    deletions=Deletions.BY_LOOKUP,
    merges=Merges.NONE,
    kinds=(Kind.CONTACT,),
    creatable=FIELDS,
    writable=FIELDS,
    page_size=EXPORT_SIZE,
    bulk_create=IMPORT_SIZE,
    own_key=True,
    code_readable=True,
    can_merge=True,
    resumable=False,
    custom_field_definitions=True,
    panels=(
        PanelSpec(HISTORY, "History in Udesk", timeline=True, why_not="Udesk writes its history itself."),
    ),
    contacts_every=1800,
    requests_per_second=0.9,
    why_not={
        "can_restore": "Udesk deletes for good; nothing can be restored there.",
        "gender": "Udesk keeps no gender.",
        "birth_date": "Udesk keeps no birth date.",
        "addresses": "Udesk keeps no addresses.",
        "industry": "Udesk keeps no industry.",
        "source": "Udesk sets the source itself, by the channel a customer came through.",
    },
    unproven={
        "request rate": "60 calls a minute of each interface, by public sources; ours keep it all together",
        "changes": "no update time is shown, so every pull is a complete export compared by content",
        "export": "asking again by a cursor may skip a batch, so no batch is asked for twice",
        "lists on edit": "a list that is sent replaces the one that is there; one that is left out stays",
        "emptying a field": "no way is documented, so it is refused here with a reason",
        "tags": "sent whole as one text; several tags may bear the same id, so names count",
        "imported customers": "received is not imported: each is looked up by our code before its id counts",
        "our code": "the external id; its uniqueness is not relied on",
        "not found": "code 2005 only; code 2000 “Couldn't find Customer” means a missing parameter",
        "merge": "which value wins is not documented: both are kept as snapshots before",
        "merge parameters": "in the body, as in the sample; option merge_as=query sends them as in the table",
        "delete": "for good",
        "phones without country": "Vietnamese where that makes a valid number, else Chinese",
        "custom fields": "their definitions come from an interface that the vendor calls deprecated",
    },
)
