"""Keys for development: made once, kept in VAR_DIR, readable by the owner only."""

import os
from pathlib import Path

from cryptography.fernet import Fernet


def development_key(directory: Path, name: str, *, allowed: bool) -> str:
    """Read or make a key file (mode 0600). Returns "" where only production keys count.

    Outside DEBUG a missing key stays missing, so that the system checks can
    refuse to start instead of running on a key that nobody chose.
    """
    path = directory / name
    if not allowed:
        return ""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    key = Fernet.generate_key().decode()
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
    return key
