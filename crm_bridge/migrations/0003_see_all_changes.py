from django.db import migrations


class Migration(migrations.Migration):
    """A permission: see everybody's outgoing changes, not only one's own."""

    dependencies = [("crm_bridge", "0002_contact_dirty_index")]

    operations = [
        migrations.AlterModelOptions(
            name="contactchange",
            options={
                "default_permissions": ("view",),
                "ordering": ["created_at", "id"],
                "permissions": [
                    ("view_all_contactchange", "Can see everybody's changes and conflicts"),
                    ("retry_contactchange", "Can send a change again"),
                    ("drop_contactchange", "Can drop a change"),
                ],
                "verbose_name": "outgoing change",
                "verbose_name_plural": "outgoing changes",
            },
        ),
    ]
