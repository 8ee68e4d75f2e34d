"""What states and outcomes of campaigns are called on pages."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bot_campaigns.models import Campaign, CampaignCommand, Launch
from bot_campaigns.records import ReportedStatus, SubscriberStatus, status_label
from bot_campaigns.services.commands import START, StateLine

_DISPOSITIONS = {
    "ANSWER": gettext_lazy("answered"), "ANSWERED": gettext_lazy("answered"),
    "NORMAL_CLEARING": gettext_lazy("answered"), "ALLOTTED_TIMEOUT": gettext_lazy("answered, ended by time"),
    "NOANSWER": gettext_lazy("no answer"), "NO_ANSWER": gettext_lazy("no answer"),
    "NO_USER_RESPONSE": gettext_lazy("phone not reached"),
    "BUSY": gettext_lazy("busy"), "USER_BUSY": gettext_lazy("busy"),
    "CANCEL": gettext_lazy("cancelled"), "ORIGINATOR_CANCEL": gettext_lazy("cancelled"),
    "CALL_REJECTED": gettext_lazy("declined"), "CONGESTION": gettext_lazy("network congested"),
    "NORMAL_CIRCUIT_CONGESTION": gettext_lazy("network congested"), "FAILED": gettext_lazy("failed"),
    "UNALLOCATED_NUMBER": gettext_lazy("number not in use"),
}  # fmt: skip
_SUBSCRIBERS = {
    SubscriberStatus.PENDING: gettext_lazy("to dial"),
    SubscriberStatus.PAUSED: gettext_lazy("paused"),
    SubscriberStatus.ABORTED: gettext_lazy("aborted"),
    SubscriberStatus.FAILED: gettext_lazy("failed"),
    SubscriberStatus.SENT: gettext_lazy("connected"),
    SubscriberStatus.IN_PROCESS: gettext_lazy("in progress"),
    SubscriberStatus.NOT_AUTHORIZED: gettext_lazy("not allowed"),
    SubscriberStatus.COMPLETED: gettext_lazy("connected, heard to the end"),
}
_SUBSCRIBER_TONES = {
    SubscriberStatus.SENT: "done", SubscriberStatus.COMPLETED: "done", SubscriberStatus.IN_PROCESS: "running",
    SubscriberStatus.FAILED: "missing", SubscriberStatus.NOT_AUTHORIZED: "missing",
}  # fmt: skip
_REASONS = {
    SubscriberStatus.NOT_AUTHORIZED: gettext_lazy("refused by AntBOT, as by its own do-not-call list"),
    SubscriberStatus.ABORTED: gettext_lazy("the campaign was aborted before its turn"),
}
OUTCOME_TONES = {"answered": "done", "no_answer": "held", "failed": "failed"}
LAUNCH_TONES = {
    Launch.Status.DRAFT: "excluded", Launch.Status.CHECKED: "waiting", Launch.Status.HANDING_OVER: "sending",
    Launch.Status.READY: "held", Launch.Status.STARTED: "done", Launch.Status.HELD: "attention",
    Launch.Status.CANCELLED: "cancelled",
}  # fmt: skip
COMMAND_TONES = {"held": "attention", "rejected": "rejected", "done": "done", "cancelled": "cancelled"}


def disposition_words(disposition: str) -> str:
    """A call's outcome in words; what nobody knows, as the report says it."""
    return str(_DISPOSITIONS.get(disposition, disposition)) or _("unknown")


def subscriber_state(status: int | None) -> tuple[str, str]:
    """(tone, words)."""
    known = SubscriberStatus(status) if status in set(SubscriberStatus) else None
    if known is None:
        return "unknown", status_label(SubscriberStatus, status)
    return _SUBSCRIBER_TONES.get(known, "excluded"), str(_SUBSCRIBERS[known])


def subscriber_reason(status: int | None) -> str:
    """Why a number stands as it does, where its state says it."""
    known = SubscriberStatus(status) if status in set(SubscriberStatus) else None
    return str(_REASONS.get(known, "")) if known else ""


def campaign_state(campaign: Campaign, line: StateLine) -> tuple[str, str]:
    """(tone, words) of the badge: what is true as far as anybody knows."""
    status = campaign.reported_status
    if line.not_yet_stopped:
        return "attention", _("NOT YET STOPPED")
    if campaign.gone_at is not None:
        return "excluded", _("deleted at AntBOT")
    moving = line.confirmed_at is None and line.status in CampaignCommand.MOVING
    if line.operation == "delete" and moving:
        return "sending", _("being deleted")
    if status == ReportedStatus.STARTED:
        return "running", _("running")
    if status in (ReportedStatus.ENDED, ReportedStatus.COMPLETED):
        return "done", _("ended") if status == ReportedStatus.ENDED else _("completed")
    if line.operation == START and moving:
        return "sending", _("starting")
    if line.operation == START and line.confirmed_at is None:
        return "attention", _("not started")
    if line.operation == "pause" and line.confirmed_at is not None:
        return "paused", _("paused")
    if status == ReportedStatus.WAITING:
        return "waiting", _("waiting")
    if status == ReportedStatus.STOPPED:
        return "cancelled", _("stopped")
    return "unknown", status_label(ReportedStatus, status)


def command_words(operation: str, resumes: bool = False) -> str:
    """What a button or a line of the timeline calls a command."""
    return {
        "start": _("Resume") if resumes else _("Start"),
        "pause": _("Pause"),
        "abort": _("Abort"),
        "end": _("End"),
        "delete": _("Delete at AntBOT"),
    }.get(operation, operation)
