"""Whether the credentials of a vendor are complete: single ones, and groups of which one is enough."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Lack:
    """What is missing; falsy when nothing is."""

    names: tuple[str, ...] = ()
    """These have to be given."""
    groups: tuple[tuple[str, ...], ...] = ()
    """No group was begun: all names of any one of these."""

    def __bool__(self) -> bool:
        return bool(self.names or self.groups)


def lack(fields: Iterable[Any], values: Mapping[str, str]) -> Lack:
    """What ``values`` lack of a connector's ``credential_fields``.

    Fields of one group belong together, so a group that was begun has to be finished, and one
    whole group is enough.
    """
    single = [field for field in fields if not group_of(field)]
    names = [field.name for field in single if field.required and not values.get(field.name)]
    groups: dict[str, list[Any]] = {}
    for field in fields:
        if group_of(field):
            groups.setdefault(group_of(field), []).append(field)
    begun = [group for group in groups.values() if any(values.get(field.name) for field in group)]
    for group in begun:
        names += [field.name for field in group if field.required and not values.get(field.name)]
    offered = () if begun else tuple(tuple(f.name for f in group if f.required) for group in groups.values())
    return Lack(tuple(names), offered)


def group_of(field: Any) -> str:
    """The group a field belongs to; "" for one that stands alone."""
    return str(getattr(field, "group", ""))


def needs_own_address(base_url: str) -> bool:
    """Whether a vendor's usual address is only a pattern: each account has a name of its own in it."""
    return not base_url or "//SUB." in base_url
