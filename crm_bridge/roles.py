"""The three roles: what each may do. Read by a migration and after every migrate."""

from typing import Any

from django.apps import apps as installed_apps

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
ROLES = {"Sales": SALES, "Managers": MANAGERS, "Admins": ADMINS}


def grant(apps: Any, using: str = "default") -> None:
    """Make the groups that are missing, with their permissions.

    A group that exists keeps what people took from it or added to it: only the
    migration that brings a new permission hands it out.
    """
    Group = apps.get_model("auth", "Group")
    for name, wanted in ROLES.items():
        group, created = Group.objects.using(using).get_or_create(name=name)
        if created:
            give(apps, group, wanted, using)


def give(apps: Any, group: Any, wanted: tuple[str, ...], using: str = "default") -> None:
    """Add permissions to a group; Django itself makes them only after the last migration."""
    Permission = apps.get_model("auth", "Permission")
    ContentType = apps.get_model("contenttypes", "ContentType")
    for full in wanted:
        app, _dot, codename = full.partition(".")
        model = apps.get_model(app, codename.rpartition("_")[2])
        kind, _new = ContentType.objects.using(using).get_or_create(
            app_label=app, model=model._meta.model_name
        )
        permission, _new = Permission.objects.using(using).get_or_create(
            content_type=kind, codename=codename, defaults={"name": _name(model, codename)}
        )
        group.permissions.add(permission)


def _name(model: Any, codename: str) -> str:
    """What Django would call it."""
    named = dict(model._meta.permissions)
    action = codename.partition("_")[0]
    return str(named.get(codename) or f"Can {action} {model._meta.verbose_name_raw}")


def after_migrate(using: str, apps: Any = None, **kwargs: Any) -> None:
    """``post_migrate`` receiver: the roles exist in every database, emptied ones included.

    ``flush`` sends the signal without ``apps``.
    """
    if "auth_group" in _tables(using):
        grant(apps or installed_apps, using)


def _tables(using: str) -> list[str]:
    from django.db import connections

    return connections[using].introspection.table_names()
