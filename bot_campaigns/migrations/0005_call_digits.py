from django.db import migrations

from crm_bridge.phones import digits_reversed

BATCH = 2_000


def fill(apps, schema_editor):
    Call = apps.get_model("bot_campaigns", "Call")
    calls = Call.objects.using(schema_editor.connection.alias)
    batch = []
    for call in calls.filter(digits_reversed="").only("pk", "number", "e164").iterator(chunk_size=BATCH):
        call.digits_reversed = digits_reversed(call.number, call.e164)
        batch.append(call)
        if len(batch) == BATCH:
            calls.bulk_update(batch, ["digits_reversed"], batch_size=500)
            batch.clear()
    calls.bulk_update(batch, ["digits_reversed"], batch_size=500)


class Migration(migrations.Migration):
    """Calls that were mirrored before can be found by the end of their number."""

    dependencies = [("bot_campaigns", "0004_bot_changes")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
