"""The three roles: groups that exist in every database, with what each app lets them do.

An app registers its share when it is ready. A migration hands out what it brings; after
that a group belongs to the people who run the system.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps as installed_apps

_shares: list[Mapping[str, Iterable[str]]] = []


def register(share: Mapping[str, Iterable[str]]) -> None:
    """Make known what one app lets each role do: role → permissions as ``app.codename``."""
    if share not in _shares:
        _shares.append(share)


def grant(apps: Any, share: Mapping[str, Iterable[str]], using: str = "default") -> None:
    """For migrations: hand out new permissions to the roles, making the groups that are missing."""
    Group = apps.get_model("auth", "Group")
    for name, wanted in share.items():
        give(apps, Group.objects.using(using).get_or_create(name=name)[0], wanted, using)


def give(apps: Any, group: Any, wanted: Iterable[str], using: str = "default") -> None:
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

    A group that exists keeps what people took from it or added to it. ``flush`` sends the
    signal without ``apps``.
    """
    if "auth_group" not in _tables(using):
        return
    apps = apps or installed_apps
    Group = apps.get_model("auth", "Group")
    for name in dict.fromkeys(role for share in _shares for role in share):
        group, created = Group.objects.using(using).get_or_create(name=name)
        if created:
            for share in _shares:
                give(apps, group, share.get(name, ()), using)


def _tables(using: str) -> list[str]:
    from django.db import connections

    return connections[using].introspection.table_names()
