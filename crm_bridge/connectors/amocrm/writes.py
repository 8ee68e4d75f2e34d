"""Writing to amoCRM: what is sent, and what counts as a clear yes."""

from __future__ import annotations

from collections.abc import Sequence

from backoffice.remote.errors import ConnectionBroken, OutcomeUnknown, Rejected
from backoffice.remote.session import Answer, RemoteSession
from backoffice.remote.walk import Unreadable
from crm_bridge.connectors.amocrm import mapping, payloads
from crm_bridge.connectors.amocrm.changes import (
    Inexpressible,
    contact_number,
    request_id,
    to_create,
    to_edit,
)
from crm_bridge.connectors.amocrm.client import BATCH_SIZE, AmoCrmClient
from crm_bridge.connectors.amocrm.features import CHATS, DEFINITIONS, LINKED, LINKS, Proofs
from crm_bridge.connectors.amocrm.payloads import ChatWire
from crm_bridge.connectors.wires import usable_id
from crm_bridge.records import (
    Change,
    FieldType,
    Identity,
    Operation,
    PushResult,
    Relation,
    RelationAction,
)

_WIRE_TYPES = {
    FieldType.BOOLEAN: "checkbox",
    FieldType.DATE: "date",
    FieldType.DATETIME: "date_time",
}


class Writing:
    """The writing half of a connector."""

    _client: AmoCrmClient
    _session: RemoteSession
    _proofs: Proofs
    _proven: frozenset[str]
    _types: dict[str, str]

    def push(self, change: Change) -> PushResult:
        """Sends one change; returns only on amoCRM's clear yes."""
        try:
            if change.operation is Operation.CREATE:
                self._learn_types(change)
                answer = self._client.add([to_create(change, self._types)])
                return self._created(answer, [change])[0]
            if change.operation is Operation.EDIT:
                return self._edit(change)
            if change.operation is Operation.RELATE:
                return self._relate(change)
        except Inexpressible as error:
            raise self._refused(str(error), change.operation) from error
        raise self._refused(
            f"amoCRM's API cannot {change.operation} contacts; do it in amoCRM", change.operation
        )

    def push_bulk(self, changes: Sequence[Change]) -> list[PushResult]:
        """Creates or edits up to BATCH_SIZE contacts; answers are paired by request id, or by id.

        Any doubt, a refusal included, makes all of them unknown: a part may have been applied.
        """
        operations = {change.operation for change in changes}
        if not 1 <= len(changes) <= BATCH_SIZE or len(operations) != 1:
            raise ValueError(f"Bulk takes 1 to {BATCH_SIZE} contacts and one operation.")
        operation = operations.pop()
        if operation not in (Operation.CREATE, Operation.EDIT):
            raise ValueError("Bulk takes creates or edits only.")
        try:
            for change in changes:
                self._learn_types(change)
            if operation is Operation.CREATE:
                bodies = [to_create(change, self._types) for change in changes]
            else:
                bodies = [{"id": contact_number(change)} | to_edit(change, self._types) for change in changes]
        except Inexpressible as error:
            raise self._refused(str(error), f"bulk {operation}") from error
        try:
            send = self._client.add if operation is Operation.CREATE else self._client.update
            answer = send(bodies)
        except Rejected as error:
            raise OutcomeUnknown(
                "it refused the batch, of which a part may have been applied",
                connection=self._session.label,
                operation=f"bulk {operation}",
                status=error.status,
                words=error.words,
            ) from error
        return (
            self._created(answer, changes) if operation is Operation.CREATE else self._edited(answer, changes)
        )

    # Contacts

    def _edit(self, change: Change) -> PushResult:
        number = contact_number(change)
        self._learn_types(change)
        body = to_edit(change, self._types)
        if not body:  # custom fields that are as they are to be
            return PushResult(change.identity)
        return self._edited(self._client.update_one(number, body), [change])[0]

    def _learn_types(self, change: Change) -> None:
        """Ask once for the definitions when a field is to be written whose type was not seen yet."""
        keys = change.values.get("custom_fields") or {}
        if DEFINITIONS in self._proven and any(key not in self._types for key in keys):
            for definition in self._proofs.field_definitions():
                kind = _WIRE_TYPES.get(definition.type, "") if definition.editable else "special"
                self._types.setdefault(definition.key, kind)

    def _created(self, answer: Answer, changes: Sequence[Change]) -> list[PushResult]:
        """Each create with the id that was answered under its own request id."""
        self._require_success(answer, "create")
        ids: dict[str, str] = {}
        shown = payloads.written(answer.data)
        for each in shown:
            ids[str(each.get("request_id"))] = usable_id(each.get("id"))
        asked = [request_id(change) for change in changes]
        if len(set(asked)) != len(asked):
            raise ValueError("Two creates have one request id.")
        if len(shown) != len(asked) or ids.keys() != set(asked) or not all(ids.values()):
            raise self._unclear(
                answer, "create", f"{len(asked)} sent, {len(shown)} answered, not one for one"
            )
        if len(set(ids.values())) != len(asked):
            raise self._unclear(answer, "create", "it names one contact twice")
        return [PushResult(Identity(payloads.FAMILY, ids[each])) for each in asked]

    def _edited(self, answer: Answer, changes: Sequence[Change]) -> list[PushResult]:
        self._require_success(answer, "edit")
        shown = sorted(usable_id(each.get("id")) for each in payloads.written(answer.data))
        if shown != sorted(str(contact_number(change)) for change in changes):
            raise self._unclear(answer, "edit", "it does not name the contacts that were to be changed")
        return [PushResult(change.identity) for change in changes]

    def _require_success(self, answer: Answer, operation: str) -> None:
        if answer.status != 200:
            raise self._unclear(answer, operation, "it does not say whether it was applied")
        if words := payloads.errors_beside(answer.data):
            raise self._unclear(answer, operation, "it tells of errors beside its answer", words)

    # Chats and links

    def _relate(self, change: Change) -> PushResult:
        number = contact_number(change)
        try:
            relation = Relation.from_values(change.values)
        except (KeyError, TypeError, ValueError):
            raise Inexpressible("it is not said what is to be linked") from None
        if not relation.refs:
            raise Inexpressible("nothing is named that could be linked")
        if relation.panel == CHATS and relation.action is RelationAction.ATTACH:
            self._link_chats(number, relation.refs)
        elif relation.panel in LINKED and LINKS in self._proven and relation.action != RelationAction.REPLACE:
            self._change_links(number, relation)
        else:
            raise Inexpressible(f"amoCRM's API cannot {relation.action} {relation.panel}")
        return PushResult(change.identity)

    def _link_chats(self, number: int, refs: Sequence[str]) -> None:
        """A chat has one contact: one that belongs to somebody else is not silently taken away."""
        chats = list(dict.fromkeys(ref.strip() for ref in refs))
        held = {chat.chat_id: str(chat.contact_id) for chat in self._chats(chats=chats)}
        for chat in chats:
            if held.get(chat, str(number)) != str(number):
                raise self._refused(
                    f"chat {chat} belongs to contact {held[chat]}; unlink it in amoCRM first", "link chats"
                )
        todo = [chat for chat in chats if chat not in held]
        if not todo:
            return
        bodies = [{"chat_id": chat, "contact_id": number, "request_id": chat} for chat in todo]
        try:
            answer = self._client.link_chats(bodies)
        except ConnectionBroken as error:
            raise self._no_administrator(error) from error
        try:
            linked = {(chat.chat_id, str(chat.contact_id)) for chat in mapping.chats_of(answer.data)}
        except ValueError as error:  # Unreadable is one
            raise self._unclear(answer, "link chats", str(error)) from error
        if linked != {(chat, str(number)) for chat in todo}:
            raise self._unclear(answer, "link chats", "it does not name the chats that were to be linked")

    def _change_links(self, number: int, relation: Relation) -> None:
        ids = [usable_id(ref) for ref in relation.refs]
        if not all(ids):
            raise Inexpressible(f"{relation.panel} go by their number")
        bodies = [payloads.build_link(relation.panel, int(each)) for each in ids]
        if relation.action is RelationAction.DETACH:
            answer = self._client.unlink(number, bodies)
            if answer.status not in (200, 204):
                raise self._unclear(answer, "unlink", "it does not say whether it was applied")
            return
        answer = self._client.link(number, bodies)
        embedded = answer.data.get("_embedded") if isinstance(answer.data, dict) else None
        links = embedded.get("links") if isinstance(embedded, dict) else None
        shown = {
            (str(each.get("to_entity_type")), usable_id(each.get("to_entity_id")))
            for each in (links if isinstance(links, list) else [])
            if isinstance(each, dict)
        }
        if not {(relation.panel, each) for each in ids} <= shown:
            raise self._unclear(answer, "link", "it does not show what was to be linked")

    def _chats(self, *, contacts: Sequence[int] = (), chats: Sequence[str] = ()) -> list[ChatWire]:
        """Links of chats; a refusal of this one method is none of the whole account."""
        try:
            return mapping.chats_of(self._client.chats(contacts=contacts, chats=chats).data)
        except ConnectionBroken as error:
            raise self._no_administrator(error) from error
        except Unreadable:
            raise
        except ValueError as error:
            raise Unreadable(str(error)) from error

    def _no_administrator(self, error: ConnectionBroken) -> ConnectionBroken | Rejected:
        """403 in words is about rights; 403 as a page is a block, after which nothing more may be called."""
        if error.status != 403 or not error.words:
            return error
        refused = self._refused(
            "it lets administrators only see and link chats, and only those of this integration's channels",
            error.operation,
        )
        refused.status = error.status
        refused.keep_evidence(request_id=error.request_id, excerpt=error.excerpt, words=error.words)
        return refused

    # Errors

    def _refused(self, reason: str, operation: str) -> Rejected:
        return Rejected(reason, connection=self._session.label, operation=operation)

    def _unclear(self, answer: Answer, operation: str, reason: str, words: str = "") -> OutcomeUnknown:
        return OutcomeUnknown(
            f"its answer is unclear: {reason}; so this may or may not be applied",
            connection=self._session.label,
            operation=operation,
            status=answer.status,
            words=words,
        )
