"""A token that is got and renewed, in a row, so that all workers share one login.

One renews at a time: a lease on the row, taken by one conditional UPDATE and longer than the
longest call, so that no transaction is open while the vendor is asked. What came back is stored in
one UPDATE before anybody uses it, and only over the generation that it was made from. The secret
part is encrypted.
"""

import copy
import hashlib
import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from cryptography.fernet import InvalidToken
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.models import Q
from django.db.models.functions import Now

from backoffice.remote.errors import ConnectionBroken, RetryLater
from backoffice.remote.tokens import MemoryTokens, TokenState
from backoffice.sync.models import AbstractConnection, AbstractToken
from backoffice.sync.visit import visit

LEASE = timedelta(seconds=60)
"""Longer than the deadline of a call for a token (20 s): nobody else asks while one may be answered."""
LONGEST_WAIT = 30.0
"""Seconds a call waits for its turn; then it is tried again later."""
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.25
STORE_ATTEMPTS = 6
"""A new pair must not be lost to a database that restarts: the old one may be dead already."""
_OPEN = ("renewed_at", "failures", "not_before", "refused", "reason")
"""Parts of the state that are no secret."""

_turns: dict[tuple[str, int], threading.Lock] = {}
_turns_lock = threading.Lock()


class SharedTokens:
    """The token of one connection for all workers; see ``remote.tokens.TokenStore``.

    Cheap to make and without I/O. ``credentials`` are what a person entered: other ones, or another
    host, start everything anew. ``patience`` is how long a turn is waited for, at most.
    """

    def __init__(
        self,
        rows: type[AbstractToken],
        connection: AbstractConnection,
        credentials: Mapping[str, str],
        *,
        patience: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rows: Any = rows._default_manager
        self._connection_id, self._label = connection.pk, connection.name
        entered = json.dumps([connection.base_url, *sorted(credentials.items())])
        self._seed = hashlib.sha256(entered.encode()).hexdigest()
        self._patience, self._sleep = patience, sleep
        self._known: tuple[str, int] | None = None
        self._clock = (0.0, 0.0)
        with _turns_lock:
            self._turn = _turns.setdefault((rows._meta.db_table, connection.pk), threading.Lock())

    def __repr__(self) -> str:
        return f"SharedTokens({self._label!r})"

    def now(self) -> float:
        """The database's clock in epoch seconds, as of the last turn."""
        told, then = self._clock
        return told + time.monotonic() - then if told else time.time()

    def current(self) -> tuple[str, int]:
        """Token and generation as last seen; one that was replaced meanwhile is refused and looked up."""
        if self._known is None:
            with visit(), self._readable():
                row = self._row().values("secret", "generation").first()
            state = TokenState() if row is None else self._state(row, {})
            self._known = state.token, state.generation
        return self._known

    @contextmanager
    def exclusive(self) -> Iterator[TokenState]:
        """One worker at a time. Raises ``RetryLater`` when its turn does not come in time."""
        longest = LONGEST_WAIT if self._patience is None else min(self._patience, LONGEST_WAIT)
        ends = time.monotonic() + longest
        if not self._turn.acquire(timeout=longest):  # the threads of this process queue here
            raise self._busy()
        try:
            lease = uuid.uuid4()
            state = self._take(lease, ends)
            before = copy.deepcopy(state)
            try:
                yield state
            except BaseException:
                self._keep(lease, before, state)
                raise
            self._keep(lease, before, state)
        finally:
            self._turn.release()

    # --- the row ---------------------------------------------------------------------------

    def _row(self) -> Any:
        return self._rows.filter(connection_id=self._connection_id)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (InvalidToken, ValueError) as error:
            raise ConnectionBroken(
                "its stored access cannot be decrypted with the keys in CREDENTIAL_KEYS; enter the"
                " credentials again"
            ) from error

    def _take(self, lease: uuid.UUID, ends: float) -> TokenState:
        """Waits for the lease, and reads the state that it guards."""
        free, pause = Q(lease_until__isnull=True) | Q(lease_until__lte=Now()), FIRST_PAUSE
        while True:
            with visit():
                if self._row().filter(free).update(lease_until=Now() + LEASE, lease_token=lease):
                    return self._read()
                _row, made = self._rows.get_or_create(connection_id=self._connection_id)
            if made:
                continue
            if time.monotonic() >= ends:
                raise self._busy()
            self._sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  jitter
            pause = min(LONGEST_PAUSE, pause * 1.5)

    def _read(self) -> TokenState:
        with self._readable():
            row = self._row().annotate(now=Now()).values("secret", "generation", "state", "now").get()
        self._clock = row["now"].timestamp(), time.monotonic()
        return self._state(row, row["state"])

    def _state(self, row: Mapping[str, Any], open_part: Mapping[str, Any]) -> TokenState:
        secret = row["secret"] or {}
        if secret.get("seed") != self._seed:
            return TokenState(generation=row["generation"])
        known = {name: open_part[name] for name in _OPEN if name in open_part}
        return TokenState(secret["token"], row["generation"], dict(secret["secrets"]), **known)

    def _keep(self, lease: uuid.UUID, before: TokenState, state: TokenState) -> None:
        """Stores what changed and gives the lease back, in one UPDATE."""
        columns: dict[str, Any] = {"lease_until": None, "lease_token": None}
        mine = {"lease_token": lease}
        if state != before:
            columns |= {
                "secret": {"seed": self._seed, "token": state.token, "secrets": state.secrets},
                "generation": state.generation,
                "state": {name: value for name, value in asdict(state).items() if name in _OPEN},
            }
        if renewed := state.generation != before.generation:
            columns["renewed_at"] = Now()
            # a pair that was got counts even if the lease has run out meanwhile: the vendor gives one only
            mine = {}
        kept = self._stored({**mine, "generation": before.generation}, columns, renewed)
        self._known = (state.token, state.generation) if kept else None
        if renewed and not kept:
            raise RetryLater("not called: another worker has logged in meanwhile")

    def _stored(self, where: Mapping[str, Any], columns: Mapping[str, Any], insist: bool) -> bool:
        for attempt in range(STORE_ATTEMPTS):
            try:
                with visit():
                    return bool(self._row().filter(**where).update(**columns))
            except (OperationalError, InterfaceError):
                if not insist or attempt + 1 == STORE_ATTEMPTS:
                    raise
                connections[DEFAULT_DB_ALIAS].close_if_unusable_or_obsolete()
                self._sleep(0.25 * 2**attempt)
        raise AssertionError("unreachable")

    def _busy(self) -> RetryLater:
        return RetryLater.in_seconds("not called: another worker is still logging in", LONGEST_PAUSE)


def adopt(tokens: SharedTokens, found: MemoryTokens) -> None:
    """Keep what a check of new credentials brought: its refresh token may be the only one that works."""
    with found.exclusive() as got:
        if not got.generation:
            return
        with tokens.exclusive() as state:
            state.token, state.secrets = got.token, dict(got.secrets)
            state.generation += 1
