"""What each role may do with contacts. Read by migrations and by ``backoffice.roles``."""

SALES = (
    "crm_bridge.view_contact",
    "crm_bridge.add_contact",
    "crm_bridge.change_contact",
    "crm_bridge.view_contactchange",
    "crm_bridge.retry_contactchange",
    "crm_bridge.drop_contactchange",
    "crm_bridge.view_conflict",
    "crm_bridge.resolve_conflict",
)
MANAGERS = (
    *SALES,
    "crm_bridge.delete_contact",
    "crm_bridge.export_contact",
    "crm_bridge.import_contact",
    "crm_bridge.view_all_contactchange",
    "crm_bridge.view_tombstone",
    "crm_bridge.view_merge",
    "crm_bridge.view_run",
    "crm_bridge.sync_connection",
)
ADMINS = (
    *MANAGERS,
    "crm_bridge.prove_merge",
    "crm_bridge.approve_run",
    "crm_bridge.view_quarantine",
    "crm_bridge.view_connection",
    "crm_bridge.add_connection",
    "crm_bridge.change_connection",
    "crm_bridge.delete_connection",
    "crm_bridge.view_connectionhealth",
    "crm_bridge.view_streamstate",
    "crm_bridge.change_streamstate",
    "backoffice.view_auditentry",
    "auth.view_user",
    "auth.add_user",
    "auth.change_user",
    "auth.delete_user",
    "auth.view_group",
    "auth.add_group",
    "auth.change_group",
    "auth.delete_group",
)
FIRST = {"Sales": SALES, "Managers": MANAGERS, "Admins": ADMINS}
"""As the roles were made."""
MERGING = {"Managers": ("crm_bridge.merge_contact",), "Admins": ("crm_bridge.merge_contact",)}
"""Handed out later: merging two contacts in the CRM."""
ROLES = {name: (*wanted, *MERGING.get(name, ())) for name, wanted in FIRST.items()}
