
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('bot_campaigns', '0003_roles'),
        ('crm_bridge', '0004_roles'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BotChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('waiting', 'waiting'), ('sending', 'sending'), ('done', 'sent'), ('unknown', 'checking'), ('conflict', 'conflict'), ('rejected', 'rejected'), ('held', 'held'), ('cancelled', 'dropped')], default='waiting', max_length=10, verbose_name='state')),
                ('operation', models.CharField(max_length=10, verbose_name='operation')),
                ('base', models.JSONField(default=dict, verbose_name='agreed values before')),
                ('new', models.JSONField(default=dict, verbose_name='new values')),
                ('request_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name='request id')),
                ('batch', models.UUIDField(blank=True, db_index=True, null=True, verbose_name='batch')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='saved')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('attempts', models.PositiveIntegerField(default=0, verbose_name='attempts')),
                ('not_before', models.DateTimeField(default=django.utils.timezone.now, verbose_name='next try')),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('lease_token', models.UUIDField(blank=True, null=True)),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='first byte left')),
                ('resolve', models.JSONField(blank=True, default=dict, verbose_name='look-ups so far')),
                ('words', models.CharField(blank=True, max_length=500, verbose_name="the remote system's words")),
                ('payload_version', models.PositiveSmallIntegerField(default=1)),
                ('subject', models.CharField(max_length=40)),
            ],
            options={
                'verbose_name': 'change for the bot',
                'verbose_name_plural': 'changes for the bot',
                'ordering': ['created_at', 'id'],
                'abstract': False,
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ReminderChoice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('chosen_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='chosen')),
            ],
            options={
                'verbose_name': 'how reminders are made',
                'verbose_name_plural': 'how reminders are made',
                'default_permissions': (),
            },
        ),
        migrations.AddField(
            model_name='call',
            name='digits_reversed',
            field=models.CharField(blank=True, editable=False, max_length=40),
        ),
        migrations.AddIndex(
            model_name='call',
            index=models.Index(fields=['digits_reversed'], name='call_digits'),
        ),
        migrations.AddIndex(
            model_name='call',
            index=models.Index(fields=['hangup_cause', '-started_at'], name='call_cause'),
        ),
        migrations.AddIndex(
            model_name='call',
            index=models.Index(fields=['billsec', '-started_at'], name='call_talked'),
        ),
        migrations.AddIndex(
            model_name='call',
            index=models.Index(fields=['duration', '-started_at'], name='call_duration'),
        ),
        migrations.AddIndex(
            model_name='call',
            index=models.Index(condition=models.Q(('is_alarm', True)), fields=['-started_at'], name='call_alarms'),
        ),
        migrations.AddIndex(
            model_name='call',
            index=models.Index(condition=models.Q(('is_otp', True)), fields=['-started_at'], name='call_otps'),
        ),
        migrations.AddField(
            model_name='botchange',
            name='after',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='behind', to='bot_campaigns.botchange'),
        ),
        migrations.AddField(
            model_name='botchange',
            name='author',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by'),
        ),
        migrations.AddField(
            model_name='botchange',
            name='connection',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='changes', to='bot_campaigns.botconnection'),
        ),
        migrations.AddField(
            model_name='reminderchoice',
            name='chosen_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='reminderchoice',
            name='connection',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='reminder_choice', to='bot_campaigns.botconnection'),
        ),
        migrations.AddField(
            model_name='reminderchoice',
            name='setting',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='bot_campaigns.calendarsetting'),
        ),
        migrations.AddIndex(
            model_name='botchange',
            index=models.Index(fields=['status', 'not_before', 'id'], name='bot_change_due'),
        ),
        migrations.AddIndex(
            model_name='botchange',
            index=models.Index(fields=['subject', '-id'], name='bot_change_subject'),
        ),
        migrations.AddConstraint(
            model_name='botchange',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'waiting')), fields=('subject',), name='bot_campaigns_botchange_one_waiting'),
        ),
        migrations.AddConstraint(
            model_name='botchange',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ('sending', 'unknown'))), fields=('subject',), name='bot_campaigns_botchange_one_in_flight'),
        ),
    ]
