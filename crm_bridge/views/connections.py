"""What a person asks of a CRM's connection."""

from backoffice.connections import pages
from crm_bridge.models import Connection
from crm_bridge.services import connecting


class SyncNow(pages.SyncNow):
    permission = "crm_bridge.sync_connection"
    model = Connection
    task = "crm_bridge.tasks.pull_stream"


class Progress(pages.Progress):
    permission = "crm_bridge.view_contact"
    model = Connection


class Check(pages.Check):
    permission = "crm_bridge.change_connection"
    model = Connection
    connect = staticmethod(connecting.connect_to)
