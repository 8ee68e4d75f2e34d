"""What AntBOT stores on a create, an update, a bulk call: account caps, odd answers, consequences."""

from hashlib import blake2b
from typing import Any

from .antbot_dialer import STARTED, Dialer, blank_run
from .antbot_exchange import Exchange
from .antbot_fields import Errors, checked
from .antbot_resources import CONTACT_FIELDS, EXTRA_CAMPAIGN_FIELDS, EXTRAS, Resource
from .antbot_tables import Row, Tables
from .switches import Switches


class Writes:
    """Stores rows for the API and for remote staff."""

    def __init__(self, tables: Tables, switches: Switches, exchange: Exchange, dialer: Dialer) -> None:
        self._tables, self._switches = tables, switches
        self._exchange, self._dialer = exchange, dialer

    def add(self, table: str, values: Row) -> Row:
        """Store a new row with its dates."""
        now = self._exchange.now
        return self._tables[table].add(
            EXTRAS.get(table, {}) | values | {"created_date": now, "updated_date": now}
        )

    def change(self, table: str, row: Row, values: Row) -> None:
        """Store changes of a row and what follows from them."""
        self._tables[table].change(row, **values, updated_date=self._exchange.now)
        if table == "campaign" and row["_state"] == STARTED:
            self._dialer.gather(row)

    def create(self, resource: Resource, body: Any) -> Row:
        """A row from the body of a POST."""
        table = resource.table
        values = checked(resource.fields, body, self._tables, create=True)
        if table == "campaign":
            return self.campaign(values, body)
        if table == "contact" and len(self._tables["contact"]) >= self._switches["max_contacts"]:
            raise Errors({"non_field_errors": ["Maximum number of contacts reached for this account."]})
        if table == "calendar_user":
            secret = values.pop("password").encode("utf-8", "surrogatepass")
            digest = blake2b(secret, digest_size=24).hexdigest()
            values["_password_hash"] = f"pbkdf2_sha256$12000${digest}"
        if table == "alarm" and values["date_start_notice"] is None:
            values["date_start_notice"] = self._exchange.now
        row = self.add(table, values)
        if table == "contact":
            self._dialer.contact_added(row, "single")
        self._exchange.catch_up(self._exchange.now)
        return row

    def update(self, resource: Resource, row: Row, body: Any, partial: bool) -> None:
        """Change a row by the body of a PUT or PATCH."""
        full = self._switches["put"] == "full" and not partial
        values = checked(resource.fields, body, self._tables, create=full)
        values = {key: value for key, value in values.items() if key in body}
        if resource.table == "campaign":
            self._check_campaign(values, create=False)
            values |= self._extra_fields(body, create=False)
        self.change(resource.table, row, values)

    # ------------------------------------------------------------------ campaigns

    def campaign(self, values: Row, body: Any) -> Row:
        """Store a campaign; it is born paused, never started."""
        extra = self._extra_fields(body, create=True)
        self._check_campaign(values, create=True)
        if extra["dnc"] is None and self._switches["new_campaign_dnc"] == "first":
            extra["dnc"] = next((row["id"] for row in self._tables["dnc_list"]), None)
        turn = self._tables["campaign"].version
        code = blake2b(b"%d.%d" % (self._exchange.seed, turn), digest_size=4).hexdigest()[:5].upper()
        return self.add(
            "campaign", values | extra | {"campaign_code": code, "content_type": 41} | blank_run()
        )

    def _extra_fields(self, body: Any, create: bool) -> Row:
        given = body if self._switches["extra_campaign_fields"] == "accept" else {}
        return checked(EXTRA_CAMPAIGN_FIELDS, given, self._tables, create)

    def _check_campaign(self, values: Row, create: bool) -> None:
        problems, campaigns = [], self._tables["campaign"]
        if create and any(row["name"] == values["name"] for row in campaigns):
            problems.append("The campaign name is already in use.")
        if create and len(campaigns) >= self._switches["max_campaigns"]:
            problems.append("Maximum number of campaigns reached for this account.")
        if values.get("frequency", 0) > self._switches["max_frequency"]:
            problems.append(f"Maximum frequency for this account is {self._switches['max_frequency']}.")
        if problems:
            raise Errors({"non_field_errors": problems})
        survey = values.get("object_id")
        if survey is not None and not any(self._tables[t].get(survey) for t in ("template", "survey")):
            raise Errors({"object_id": [f'Invalid pk "{survey}" - object does not exist.']})

    # ------------------------------------------------------------------ bulk

    def bulk(self, body: Any, made: list[int]) -> str:
        """Contacts one by one; why that stopped, or nothing. Those made before it stay."""
        given = body if isinstance(body, dict) else {}
        phonebook, items = str(given.get("phonebook")), given.get("contacts")
        known = self._tables["phonebook"].get(int(phonebook)) if phonebook.isdecimal() else None
        if known is None or not isinstance(items, list) or not items:
            return "phonebook and contacts are needed"
        if 0 < self._switches["bulk_limit"] < len(items):
            return f"at most {self._switches['bulk_limit']} contacts at once"
        if len(self._tables["contact"]) >= self._switches["max_contacts"]:
            return "maximum number of contacts reached"
        for item in items:
            if problem := self._bulk_one(known["id"], item, made):
                return problem
        return ""

    def _bulk_one(self, phonebook: int, item: Any, made: list[int]) -> str:
        if not isinstance(item, dict):
            return "a contact must be an object"
        given = {"status": 1} | item | {"phonebook": phonebook}
        try:
            values = checked(CONTACT_FIELDS, given, self._tables, create=True)
        except Errors as problems:
            return "; ".join(f"{key}: {texts[0]}" for key, texts in problems.messages.items())
        number = values["contact"]
        if self._switches["bulk_duplicates"] == "stop" and self._tables["contact"].has("contact", number):
            return f"contact {number} exists already"
        row = self.add("contact", values)
        made.append(row["id"])
        self._dialer.contact_added(row, "bulk")
        return ""
