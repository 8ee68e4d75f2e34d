from django.db import migrations

from backoffice.roles import grant
from crm_bridge.roles import MERGING


def hand_out(apps, schema_editor):
    grant(apps, MERGING, schema_editor.connection.alias)


def take_back(apps, schema_editor):
    Permission = apps.get_model("auth", "Permission")
    Permission.objects.using(schema_editor.connection.alias).filter(codename="merge_contact").delete()


class Migration(migrations.Migration):
    """Managers and Admins may merge two contacts."""

    dependencies = [("crm_bridge", "0006_crm_extras")]

    operations = [migrations.RunPython(hand_out, take_back)]
