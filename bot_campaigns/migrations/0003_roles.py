from django.db import migrations

from backoffice.roles import grant
from bot_campaigns.roles import ROLES


def hand_out(apps, schema_editor):
    grant(apps, ROLES, schema_editor.connection.alias)


def take_back(apps, schema_editor):
    Permission = apps.get_model("auth", "Permission")
    Permission.objects.using(schema_editor.connection.alias).filter(
        content_type__app_label="bot_campaigns"
    ).delete()


class Migration(migrations.Migration):
    """What Sales, Managers and Admins may do with campaigns."""

    dependencies = [
        ("bot_campaigns", "0002_approve_held_runs"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(hand_out, take_back)]
