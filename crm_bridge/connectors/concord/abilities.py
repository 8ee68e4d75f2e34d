"""What Concord's connector needs and can do, as pages and engine read it."""

from crm_bridge.connectors.base import (
    Capabilities,
    Changes,
    CredentialField,
    Deletions,
    Feature,
    Merges,
    PanelSpec,
    Stream,
)
from crm_bridge.connectors.concord.changes import FIELDS
from crm_bridge.connectors.concord.client import PAGE_SIZE
from crm_bridge.records import Kind, RelationAction

TRASH, RESTORE, PARTIAL_UPDATE = "trash", "restore", "partial_update"
_ALL_ACTIONS = frozenset(RelationAction)

CREDENTIAL_FIELDS = (
    CredentialField(
        "token",
        "Personal access token",
        help="Made in Concord under the profile of a user whose role has API access and sees all "
        "contacts. The base URL ends in /api, as in https://company.appcrm.com.br/api.",
    ),
)

CAPABILITIES = Capabilities(
    streams=(Stream.CONTACTS,),
    changes=Changes.NEWEST_FIRST,
    deletions=Deletions.BY_LOOKUP,
    merges=Merges.NONE,
    kinds=(Kind.CONTACT,),
    creatable=FIELDS,
    writable=FIELDS,
    page_size=PAGE_SIZE,
    panels=(
        PanelSpec("companies", "Companies", actions=_ALL_ACTIONS, ref_label="Company number"),
        PanelSpec("deals", "Deals", actions=_ALL_ACTIONS, ref_label="Deal number"),
        PanelSpec("activities", "Activities", actions=_ALL_ACTIONS, ref_label="Activity number"),
    ),
    features=(
        Feature(
            TRASH,
            "List of deleted contacts",
            help="Looks for it under the two addresses that people tell of, and checks that what it "
            "lists is deleted.",
            streams=(Stream.DELETED,),
        ),
        Feature(
            RESTORE,
            "Restoring a deleted contact",
            help="Creates a contact named “Disposable check”, deletes it, restores it, deletes it again.",
            writes=True,
            brings={"can_restore": True},
        ),
        Feature(
            PARTIAL_UPDATE,
            "Updates that leave other fields alone",
            help="Creates a contact named “Disposable check”, updates its name alone and deletes it. Once "
            "this is proven an edit sends only what was changed, so that nothing changed in Concord at the "
            "same moment is written over.",
            writes=True,
        ),
    ),
    requests_per_second=1,
    why_not={
        "can_merge": "Concord's API cannot merge contacts; merge them in Concord.",
        "can_restore": "Concord's page tells no way to restore a contact; prove it first.",
        "gender": "Concord's contacts have no gender.",
        "birth_date": "Concord's contacts have no birth date, unless as a custom field.",
        "social_accounts": "Concord's contacts have no social accounts, unless as custom fields.",
        "industry": "Concord's contacts have no industry, unless as a custom field.",
        "note": "Concord keeps notes apart from contacts, out of this API's reach.",
        "stage": "Concord's contacts have no stage; its deals do.",
    },
    unproven={
        "answers": "the page shows none; its framework's are expected, others accepted",
        "page size": "100 is asked for; a smaller page is taken as it comes",
        "order": "that the list sorts by update is checked at each pull; otherwise all of it is read",
        "update": "may clear what it does not name: all known fields are sent, as read just before",
        "lists on update": "phones and tags are sent whole, for they may be replaced",
        "custom fields": "all foreign top-level keys with a plain value, unless an admin names them",
        "owner, source, country": "numbers, unless an admin names them",
        "associations": "read from the single contact, where it shows them; never sent with an update",
        "not found": "404 with a JSON message proves absence; 403 only that this token may not see it",
        "request rate": "no number is published: one a second, and less when told to slow down",
    },
)
