"""Abstract tables of a mirror; each app makes them concrete.

Concrete in the app, so that an outbox row has a real foreign key to what it
changes. The rows are the truth; Celery only carries their ids.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.fields import EncryptedJSONField


class AbstractConnection(models.Model):
    """One account on one vendor."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    vendor = models.CharField(_("system"), max_length=20)
    base_url = models.URLField(_("base URL"), max_length=300)
    credentials = EncryptedJSONField(_("credentials"), null=True, blank=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    requests_per_second = models.FloatField(
        _("requests per second"), default=5, help_text=_("Shared by all workers. 0: no limit.")
    )
    parallel_requests = models.PositiveSmallIntegerField(_("parallel requests"), default=2)
    measured = models.JSONField(_("measured capabilities"), default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        abstract = True
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class AbstractHealth(models.Model):
    """Rate and circuit of a connection, shared by all workers; rewritten per request.

    Apart from the connection, so that its form never overwrites these and a
    busy pull never locks its row.
    """

    next_request_at = models.FloatField(default=0)
    """GCRA: theoretical arrival time, database clock, epoch seconds."""
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(_("paused until"), null=True, blank=True)
    needs_attention = models.BooleanField(_("needs attention"), default=False)
    """Bad credentials or a disabled account: pushes wait until a person acted."""
    last_error = models.CharField(_("last error"), max_length=300, blank=True)
    last_error_at = models.DateTimeField(_("last error at"), null=True, blank=True)
    last_ok_at = models.DateTimeField(_("last answer at"), null=True, blank=True)

    class Meta:
        abstract = True


class AbstractToken(models.Model):
    """A token that is got and renewed, shared by all workers; see ``sync.tokens``."""

    secret = EncryptedJSONField(_("secret"), null=True, editable=False)
    """Token, refresh token, and a digest of the credentials that they came from."""
    generation = models.PositiveBigIntegerField(_("renewals"), default=0)
    """Rises with each renewal; a new pair is stored only over the generation it was made from."""
    state = models.JSONField(_("state"), default=dict)
    """Failures and waits, in the open."""
    renewed_at = models.DateTimeField(_("renewed"), null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)

    class Meta:
        abstract = True


class AbstractStreamState(models.Model):
    """How far one stream of one connection got, and when it runs again."""

    stream = models.CharField(_("stream"), max_length=20)
    every = models.PositiveIntegerField(_("every (seconds)"), default=120, help_text=_("0: only by hand."))
    complete_at = models.TimeField(_("complete walk at"), null=True, blank=True)
    cursor = models.JSONField(_("cursor"), default=dict, blank=True)
    last_started_at = models.DateTimeField(_("last started"), null=True, blank=True)
    last_ok_at = models.DateTimeField(_("last complete pull"), null=True, blank=True)
    last_complete_at = models.DateTimeField(_("last complete walk"), null=True, blank=True)
    last_settled_at = models.DateTimeField(_("last settled walk"), null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["stream"]

    def __str__(self) -> str:
        return self.stream


class AbstractPageMark(models.Model):
    """Digest of one page as last applied: equal bytes need no parsing.

    Written in the transaction of the page's rows. A local edit of a mirrored
    row drops the marks of its connection's stream that hold its key.
    """

    walk = models.CharField(max_length=40)
    position = models.IntegerField()
    digest = models.CharField(max_length=32)
    keys = models.TextField()
    """``remote_id`` of each row, one a line: what the page proved to be there."""

    class Meta:
        abstract = True


class AbstractRun(models.Model):
    """One pull of one stream, with counts."""

    class Mode(models.TextChoices):
        INCREMENTAL = "incremental", _("changes")
        COMPLETE = "complete", _("complete")

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        OK = "ok", _("ok")
        INCOMPLETE = "incomplete", _("incomplete")
        HELD = "held", _("held for approval")
        FAILED = "failed", _("failed")
        INTERRUPTED = "interrupted", _("interrupted")

    stream = models.CharField(_("stream"), max_length=20)
    mode = models.CharField(_("mode"), max_length=12, choices=Mode.choices)
    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.RUNNING)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("asked by"), null=True, blank=True,
        on_delete=models.SET_NULL, related_name="+",
    )  # fmt: skip
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), default=timezone.now)
    seen = models.PositiveIntegerField(_("seen"), default=0)
    created = models.PositiveIntegerField(_("created"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    trashed = models.PositiveIntegerField(_("trashed"), default=0)
    merged = models.PositiveIntegerField(_("merged"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    requests = models.PositiveIntegerField(_("requests"), default=0)
    pages = models.PositiveIntegerField(_("pages"), default=0)
    expected = models.PositiveIntegerField(_("expected"), null=True, blank=True)
    """Records expected (total of the vendor, or the last complete walk): for the progress bar."""
    seconds = models.FloatField(_("seconds"), default=0)
    settled = models.BooleanField(_("settled"), default=False)
    absent = models.PositiveIntegerField(_("absent"), default=0)
    """Live contacts a complete walk did not show."""
    error = models.CharField(_("error"), max_length=500, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        abstract = True
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"{self.stream} {self.started_at:%Y-%m-%d %H:%M:%S}"


class AbstractOutboxEntry(models.Model):
    """One local change on its way out.

    ``waiting → sending → done``; side exits ``unknown`` (may have been applied:
    resolve, never resend blindly), ``conflict``, ``rejected``, ``held``,
    ``cancelled``. A retry is ``waiting`` with a later ``not_before``.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENDING = "sending", _("sending")
        DONE = "done", _("sent")
        UNKNOWN = "unknown", _("checking")
        CONFLICT = "conflict", _("conflict")
        REJECTED = "rejected", _("rejected")
        HELD = "held", _("held")
        CANCELLED = "cancelled", _("dropped")

    MOVING = (Status.WAITING, Status.SENDING, Status.UNKNOWN)
    """On its way: it goes on by itself."""
    FAILING = (Status.CONFLICT, Status.REJECTED, Status.HELD)
    """Stopped: a person has to look."""
    OPEN = MOVING + FAILING
    """Not finished: the staff value stays in the mirror until one of these is settled."""
    PAYLOAD_VERSION = 1

    status = models.CharField(_("state"), max_length=10, choices=Status.choices, default=Status.WAITING)
    operation = models.CharField(_("operation"), max_length=10)
    base = models.JSONField(_("agreed values before"), default=dict)
    new = models.JSONField(_("new values"), default=dict)
    request_id = models.UUIDField(_("request id"), default=uuid.uuid4, unique=True, editable=False)
    batch = models.UUIDField(_("batch"), null=True, blank=True, db_index=True)
    """Set for imports: waiting creates of one batch may travel in one bulk call."""
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(_("saved"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    not_before = models.DateTimeField(_("next try"), default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    """Fencing: every write after the claim repeats it in its WHERE."""
    sent_at = models.DateTimeField(_("first byte left"), null=True, blank=True)
    """Committed before the write starts: a crash before it is safe to repeat, after it not."""
    resolve = models.JSONField(_("look-ups so far"), default=dict, blank=True)
    words = models.CharField(_("the remote system's words"), max_length=500, blank=True)
    payload_version = models.PositiveSmallIntegerField(default=PAYLOAD_VERSION)

    class Meta:
        abstract = True
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return f"{self.operation} {self.request_id}"

    @classmethod
    def one_open_per(cls, subject: str) -> list[models.BaseConstraint]:
        """Constraints: one waiting and one in-flight entry per subject."""
        return [
            models.UniqueConstraint(
                fields=[subject], condition=Q(status="waiting"), name="%(app_label)s_%(class)s_one_waiting"
            ),
            models.UniqueConstraint(
                fields=[subject],
                condition=Q(status__in=("sending", "unknown")),
                name="%(app_label)s_%(class)s_one_in_flight",
            ),
        ]


class AbstractQuarantine(models.Model):
    """A remote element that could not be read: kept with its reason, the run went on."""

    stream = models.CharField(_("stream"), max_length=20)
    remote_id = models.CharField(_("remote id"), max_length=64, blank=True)
    fingerprint = models.CharField(max_length=32)
    reason = models.CharField(_("reason"), max_length=500)
    sample = models.TextField(_("sample"), blank=True)
    first_seen_at = models.DateTimeField(_("first seen"), default=timezone.now)
    last_seen_at = models.DateTimeField(_("last seen"), default=timezone.now)
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["-last_seen_at"]

    def __str__(self) -> str:
        return f"{self.stream} {self.remote_id or '?'}: {self.reason}"
