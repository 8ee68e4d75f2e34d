"""Keys. Development keeps its own in VAR_DIR; production is given them.

``python -m backoffice.keys`` prints fresh ones for production.
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet


def new_secret_key() -> str:
    return secrets.token_urlsafe(50)


def new_credential_key() -> str:
    return Fernet.generate_key().decode()


def kept(path: Path, make: Callable[[], str]) -> str:
    """The key in this file, made now (mode 0600) if there is none yet."""
    if not path.exists():
        # Complete before it gets its name, and never replaced: processes that
        # start together end up with the same key.
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make() + "\n")
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


if __name__ == "__main__":
    print(f"SECRET_KEY={new_secret_key()}\nCREDENTIAL_KEYS={new_credential_key()}")
