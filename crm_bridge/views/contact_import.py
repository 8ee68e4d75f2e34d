"""Import: upload, preview with the errors of each row, confirm, all or nothing."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice import audit
from backoffice.models import AuditEntry
from backoffice.pages import Guarded, Page
from crm_bridge import imports
from crm_bridge.models import Connection, Contact
from crm_bridge.services import contacts as service
from crm_bridge.views.contacts import LIST

SALT = "crm_bridge.import"
GOOD_FOR_SECONDS = 3600
SAMPLE_ROWS = 20


def connections() -> list[Connection]:
    rows = Connection.objects.filter(is_active=True).defer("credentials")
    return [connection for connection in rows if connection.capabilities.can_create]


class Upload(Page):
    permission = "crm_bridge.import_contact"
    template_name = "crm_bridge/contacts/import.html"
    title = _("Import contacts")
    crumbs = ((_("Contacts"), LIST),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            connections=connections(),
            kinds=Contact.Kind.choices,
            known_columns=imports.KNOWN_COLUMNS,
            most_rows=imports.MOST_ROWS,
            most_megabytes=imports.MOST_BYTES // 1024 // 1024,
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        file = request.FILES.get("file")
        connection = next(
            (row for row in connections() if str(row.pk) == request.POST.get("connection")), None
        )
        kind = request.POST.get("kind", "")
        error, found = "", None
        if connection is None:
            error = _g("Choose a CRM that takes new contacts.")
        elif file is None:
            error = _g("Choose a file.")
        else:
            try:
                found = imports.preview(file, file.name or "", connection=connection, kind=kind)  # type: ignore[arg-type]
            except imports.Unreadable as unreadable:
                error = str(unreadable)
        context = self.get_context_data(error=error, chosen=connection, kind=kind)
        if found is not None and connection is not None:
            context |= self._preview(found, connection, request)
        return self.render_to_response(context, status=422 if error else 200)

    def _preview(
        self, found: imports.Preview, connection: Connection, request: HttpRequest
    ) -> dict[str, Any]:
        signed = ""
        if not found.errors:
            payload = {
                "connection": connection.pk,
                "rows": found.rows,
                "nonce": uuid.uuid4().hex,
                "user": request.user.pk,
            }
            signed = signing.dumps(payload, salt=SALT, compress=True)
        fields = list(dict.fromkeys(name for _kind, values in found.rows[:SAMPLE_ROWS] for name in values))
        sample = [(kind, [values.get(name) for name in fields]) for kind, values in found.rows[:SAMPLE_ROWS]]
        return {"preview": found, "fields": fields, "sample": sample, "signed": signed}


class Confirm(Guarded):
    """Creates what the preview showed; a second press of the button creates nothing."""

    permission = "crm_bridge.import_contact"
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        upload = HttpResponseRedirect(reverse("admin:crm_bridge_contact_import"))
        try:
            payload = signing.loads(request.POST.get("signed", ""), salt=SALT, max_age=GOOD_FOR_SECONDS)
        except signing.BadSignature:
            messages.error(request, _g("This preview is too old. Upload the file again."))
            return upload
        connection = next((row for row in connections() if row.pk == payload["connection"]), None)
        if connection is None or payload["user"] != request.user.pk:
            messages.error(request, _g("This preview can no longer be used. Upload the file again."))
            return upload
        rows = imports.as_rows(payload["rows"])
        try:
            created = self._create(connection, rows, payload["nonce"], request.user)
        except (service.Invalid, service.NotWritable) as refused:
            messages.error(request, _g("Nothing was imported. %s") % refused)
            return upload
        if created:
            number = len(rows)
            words = ngettext("%d contact is on its way to %s.", "%d contacts are on their way to %s.", number)
            messages.success(request, words % (number, connection.name))
        else:
            messages.warning(request, _g("This file was imported already; nothing was created twice."))
        return HttpResponseRedirect(reverse(LIST))

    @staticmethod
    def _create(connection: Connection, rows: list[Any], nonce: str, user: Any) -> bool:
        with transaction.atomic():
            get_user_model().objects.select_for_update().get(pk=user.pk)  # one import of one person at a time
            mine = AuditEntry.objects.filter(
                action="contact.import", object_type=user._meta.label_lower, object_id=str(user.pk)
            )
            if mine.filter(data__nonce=nonce).exists():
                return False
            batch = service.create_many(connection=connection, rows=rows, by=user)
            audit.record(
                "contact.import", user, by=user, summary=connection.name, nonce=nonce, rows=len(rows),
                batch=str(batch),
            )  # fmt: skip
        return True
