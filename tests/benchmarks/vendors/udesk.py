"""Udesk's floor: signed calls over one kept connection, one batch after the other, nothing else.

Batches cannot be asked for ahead (each needs the cursor of the one before), so latency adds up in full.
"""

import hashlib
import http.client
import itertools
import time
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import orjson

KIND = "udesk"
BASE_PATH = "/open_api_v1"
CREDENTIALS = {"email": "admin+api@sandbox.example.com", "api_token": "sandbox-udesk-token"}
BATCH = 1000
_nonces = itertools.count()


def pages(base_url: str, *, parse: bool = True) -> Iterator[bytes]:
    """Every batch up to the empty one; parsed and thrown away, for the cursor is inside.

    ``parse`` changes nothing here: without parsing there is no next batch.
    """
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.netloc, timeout=60)
    cursor = ""
    try:
        while True:
            query = _signed() | ({"scroll_id": cursor} if cursor else {})
            connection.request("GET", f"{address.path}/customers/export?{urlencode(query)}")
            body = connection.getresponse().read()
            data = orjson.loads(body)
            yield body
            if not data["customers"]:
                return
            cursor = data["scroll_id"]
    finally:
        connection.close()


def _signed() -> dict[str, str]:
    stamp, nonce = str(int(time.time())), f"bench-{time.monotonic_ns()}-{next(_nonces)}"
    text = "&".join((CREDENTIALS["email"], CREDENTIALS["api_token"], stamp, nonce, "v2"))
    sign = hashlib.sha256(text.encode()).hexdigest()
    email = CREDENTIALS["email"]
    return {"email": email, "timestamp": stamp, "nonce": nonce, "sign": sign, "sign_version": "v2"}
