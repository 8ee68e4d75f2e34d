"""The mirrored contact. Typed columns for what is searched, filtered or edited."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_bridge.models.connection import Connection
from crm_bridge.records import EDITABLE_FIELDS


class ContactQuerySet(models.QuerySet["Contact"]):
    def live(self) -> "ContactQuerySet":
        return self.filter(state=Contact.State.LIVE)

    def with_lists(self) -> "ContactQuerySet":
        """With phones, e-mails and tags fetched: one query each, not one per row."""
        return self.prefetch_related("phones", "emails", "tags")


class Contact(models.Model):
    """One remote person or company.

    The columns hold what staff see: the remote value, or the staff value while
    an edit is on its way. ``base`` then holds the last agreed remote value of
    just the fields under edit.
    """

    class Kind(models.TextChoices):
        LEAD = "lead", _("lead")
        CONTACT = "contact", _("contact")
        ACCOUNT = "account", _("account")

    class State(models.TextChoices):
        LIVE = "live", _("live")
        TRASHED = "trashed", _("trashed")
        MERGED = "merged", _("merged")
        MISSING = "missing", _("missing")

    class Gender(models.TextChoices):
        MALE = "male", _("male")
        FEMALE = "female", _("female")
        OTHER = "other", _("other")
        UNKNOWN = "", _("unknown")

    connection = models.ForeignKey(
        Connection, verbose_name=_("CRM"), on_delete=models.PROTECT, related_name="contacts"
    )
    family = models.CharField(_("family"), max_length=16)
    remote_id = models.CharField(_("remote id"), max_length=64, null=True, blank=True)  # noqa: DJ001  NULL until the CRM gave one; unique otherwise
    uid = models.CharField(_("storage id"), max_length=64, blank=True)
    code = models.CharField(_("our code"), max_length=64, null=True, blank=True, unique=True)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.LIVE)

    name = models.CharField(_("name"), max_length=2000)
    gender = models.CharField(_("gender"), max_length=8, choices=Gender.choices, blank=True)
    birth_date = models.DateField(_("birth date"), null=True, blank=True)
    stage = models.CharField(_("stage"), max_length=200, blank=True)
    source = models.CharField(_("source"), max_length=200, blank=True)
    responsible = models.CharField(_("responsible"), max_length=254, blank=True)
    industry = models.CharField(_("industry"), max_length=200, blank=True)
    note = models.TextField(_("note"), blank=True)
    addresses = models.JSONField(_("addresses"), default=list, blank=True)
    social_accounts = models.JSONField(_("social accounts"), default=list, blank=True)
    custom_fields = models.JSONField(_("custom fields"), default=dict, blank=True)
    score_available = models.FloatField(_("points"), null=True, blank=True)
    score_rank = models.FloatField(_("rank points"), null=True, blank=True)
    rank_name = models.CharField(_("rank"), max_length=100, blank=True)
    ads_history = models.JSONField(_("ads history"), default=list, blank=True)
    extra = models.JSONField(_("further values"), default=dict, blank=True)
    tags: "models.ManyToManyField[Tag, ContactTag]" = models.ManyToManyField(
        "Tag", verbose_name=_("tags"), through="ContactTag", related_name="contacts"
    )

    raw = models.TextField(_("remote data"), blank=True)
    """The vendor's JSON as last read, verbatim."""
    content_hash = models.CharField(max_length=32, blank=True)
    base = models.JSONField(_("agreed values of fields under edit"), null=True, blank=True)
    search_text = models.TextField(blank=True)
    """Folded name, phone digits and e-mails, one a line: what search looks at."""
    version = models.PositiveIntegerField(default=0)
    """Counts staff edits: a form opened before somebody else's save is told so."""

    remote_created_at = models.DateTimeField(_("created remotely"), null=True, blank=True)
    remote_updated_at = models.DateTimeField(_("updated remotely"), null=True, blank=True)
    touched_at = models.DateTimeField(_("updated"), default=timezone.now)
    """When either side last changed it; lists are sorted by it."""
    state_since = models.DateTimeField(_("state since"), null=True, blank=True)
    survivor = models.ForeignKey(
        "self",
        verbose_name=_("survivor"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="losers",
    )
    created_at = models.DateTimeField(_("mirrored since"), default=timezone.now)

    objects = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["-touched_at", "-id"]
        permissions = [
            ("export_contact", _("Can export contacts")),
            ("import_contact", _("Can import contacts")),
            ("merge_contact", _("Can merge contacts in the CRM")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["connection", "family", "remote_id"], name="contact_identity"),
            models.CheckConstraint(condition=~Q(remote_id=""), name="contact_remote_id_not_empty"),
        ]
        indexes = [
            models.Index(fields=["state", "-touched_at", "-id"], name="contact_state_touched"),
            models.Index(fields=["connection", "state", "-touched_at", "-id"], name="contact_connection"),
            models.Index(fields=["kind", "state", "-touched_at", "-id"], name="contact_kind"),
            models.Index(fields=["stage", "state", "-touched_at", "-id"], name="contact_stage"),
            models.Index(fields=["source", "state", "-touched_at", "-id"], name="contact_source"),
            models.Index(fields=["responsible", "state", "-touched_at", "-id"], name="contact_responsible"),
            models.Index(fields=["connection", "uid"], name="contact_uid", condition=~Q(uid="")),
            models.Index(fields=["survivor"], name="contact_survivor", condition=Q(survivor__isnull=False)),
            # what a complete walk must read again whatever its page looks like
            models.Index(
                fields=["connection"], name="contact_dirty", condition=Q(content_hash="") | ~Q(state="live")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def values(self, fields: tuple[str, ...] = EDITABLE_FIELDS) -> dict[str, Any]:
        """Canonical values of the columns, comparable with ``records.canonical``."""
        return {name: self.value(name) for name in fields}

    def value(self, field: str) -> Any:
        """One canonical value; lists in the order they are shown."""
        if field == "phones":
            return [{"value": row.value, "type": row.type} for row in self.phones.all()]
        if field == "emails":
            return [{"value": row.value, "type": row.type} for row in self.emails.all()]
        if field == "tags":
            return [tag.name for tag in self.tags.all()]
        if field == "birth_date":
            return self.birth_date.isoformat() if self.birth_date else None
        return getattr(self, field)


class ContactPhone(models.Model):
    """One number of a contact: the vendor's text, E.164 where valid, and digits."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="phones")
    position = models.PositiveSmallIntegerField(default=0)
    type = models.CharField(_("type"), max_length=60, blank=True)
    value = models.CharField(_("number"), max_length=200)
    e164 = models.CharField(_("E.164"), max_length=20, blank=True)
    digits_reversed = models.CharField(max_length=40, blank=True)
    """Digits of the E.164 form (else of the text), last first: "ends with" is a range scan."""

    class Meta:
        verbose_name = _("phone")
        verbose_name_plural = _("phones")
        ordering = ["position", "id"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["e164"], name="phone_e164", condition=~Q(e164="")),
            models.Index(fields=["digits_reversed"], name="phone_digits_reversed"),
        ]

    def __str__(self) -> str:
        return self.value


class ContactEmail(models.Model):
    """One e-mail address of a contact."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="emails")
    position = models.PositiveSmallIntegerField(default=0)
    type = models.CharField(_("type"), max_length=60, blank=True)
    value = models.CharField(_("e-mail"), max_length=320)
    address_folded = models.CharField(max_length=320, blank=True, db_index=True)

    class Meta:
        verbose_name = _("e-mail")
        verbose_name_plural = _("e-mails")
        ordering = ["position", "id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.value


class Tag(models.Model):
    """A label of one connection; filters list them without scanning contacts."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(_("name"), max_length=200)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["name"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["connection", "name"], name="tag_name")]

    def __str__(self) -> str:
        return self.name


class ContactTag(models.Model):
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE)
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["contact", "tag"], name="contact_tag")]
        indexes = [models.Index(fields=["tag", "contact"], name="contact_tag_reverse")]

    def __str__(self) -> str:
        return f"{self.contact_id} {self.tag_id}"


class ContactAlias(models.Model):
    """An identity a contact had before: the lead that became a customer."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="aliases")
    family = models.CharField(max_length=16)
    remote_id = models.CharField(max_length=64)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("former identity")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["connection", "family", "remote_id"], name="alias_identity")
        ]

    def __str__(self) -> str:
        return f"{self.family} {self.remote_id}"
