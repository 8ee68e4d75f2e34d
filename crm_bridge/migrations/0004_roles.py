from django.db import migrations

from backoffice.roles import grant
from crm_bridge.roles import FIRST


def make_roles(apps, schema_editor):
    grant(apps, FIRST, schema_editor.connection.alias)


def remove_roles(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    Group.objects.using(schema_editor.connection.alias).filter(name__in=FIRST).delete()


class Migration(migrations.Migration):
    """The groups Sales, Managers and Admins."""

    dependencies = [
        ("crm_bridge", "0003_see_all_changes"),
        ("backoffice", "0001_audit_log"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_roles, remove_roles)]
