"""Call campaigns mirrored from AntBOT, and what makes launching them safe."""

from bot_campaigns.models.call import Call, Incident
from bot_campaigns.models.campaign import Campaign, CampaignCommand, Subscriber
from bot_campaigns.models.change import BotChange
from bot_campaigns.models.connection import BotConnection, BotHealth, CallingRules
from bot_campaigns.models.launch import Launch, LaunchNumber
from bot_campaigns.models.phonebook import BotContact, Phonebook
from bot_campaigns.models.reminder import (
    Alarm,
    Calendar,
    CalendarSetting,
    CalendarUser,
    Event,
    ReminderChoice,
)
from bot_campaigns.models.suppression import DncEntry, DncList, Suppression
from bot_campaigns.models.survey import Gateway, SealedSurvey, Section, SurveyTemplate
from bot_campaigns.models.sync import BotPageMark, BotQuarantine, BotRun, BotStreamState

__all__ = [
    "Alarm",
    "BotChange",
    "BotConnection",
    "BotContact",
    "BotHealth",
    "BotPageMark",
    "BotQuarantine",
    "BotRun",
    "BotStreamState",
    "Calendar",
    "CalendarSetting",
    "CalendarUser",
    "Call",
    "CallingRules",
    "Campaign",
    "CampaignCommand",
    "DncEntry",
    "DncList",
    "Event",
    "Gateway",
    "Incident",
    "Launch",
    "LaunchNumber",
    "Phonebook",
    "ReminderChoice",
    "SealedSurvey",
    "Section",
    "Subscriber",
    "Suppression",
    "SurveyTemplate",
]
