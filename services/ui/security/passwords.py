"""Passwords of named users: scrypt hashes (RFC 7914), compared in constant time."""

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Self

COST, BLOCK, LANES = 2**14, 8, 1
"""N, r, p of scrypt: 16 MB and about 50 ms a guess."""
MINIMUM_LENGTH = 10


@dataclass(frozen=True)
class PasswordHash:
    """A salted hash of a password; written as ``scrypt$N$r$p$salt$hash`` with base64 salt and hash."""

    cost: int
    block: int
    lanes: int
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, password: str) -> Self:
        """Hash `password` under a fresh salt; raises ValueError where it is too short."""
        if len(password) < MINIMUM_LENGTH:
            raise ValueError(f"the password has {len(password)} characters; use at least {MINIMUM_LENGTH}")
        salt = os.urandom(16)
        return cls(COST, BLOCK, LANES, salt, _scrypt(password, salt, COST, BLOCK, LANES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote; raises ValueError on anything else."""
        try:
            scheme, cost, block, lanes, salt, digest = text.split("$")
            hashed = cls(int(cost), int(block), int(lanes), _decoded(salt), _decoded(digest))
        except (ValueError, binascii.Error):
            raise ValueError("a password hash reads scrypt$N$r$p$salt$hash") from None
        if scheme != "scrypt" or len(hashed.salt) < 16 or len(hashed.digest) != 32:
            raise ValueError("a password hash reads scrypt$N$r$p$salt$hash, with 16 bytes of salt and 32 of hash")
        if hashed.cost < COST or hashed.cost * hashed.block > 2**20:
            raise ValueError(f"a password hash has N from {COST} and N * r up to {2**20}; got N {hashed.cost}")
        return hashed

    def matches(self, password: str) -> bool:
        """Whether `password` matches, compared in constant time."""
        given = _scrypt(password, self.salt, self.cost, self.block, self.lanes)
        return hmac.compare_digest(given, self.digest)

    def __str__(self) -> str:
        salt, digest = (base64.b64encode(part).decode() for part in (self.salt, self.digest))
        return f"scrypt${self.cost}${self.block}${self.lanes}${salt}${digest}"


def parse_users(text: str) -> dict[str, PasswordHash]:
    """Read ``name:hash,name:hash``; raises ValueError that names the entry, never the hash."""
    users: dict[str, PasswordHash] = {}
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        name, _, hashed = entry.partition(":")
        if not name or not name.isprintable() or name in users:
            raise ValueError(f"entry {number} of the users needs a name of its own before the colon")
        try:
            users[name] = PasswordHash.parse(hashed)
        except ValueError as error:
            raise ValueError(f"user {name}: {error}") from None
    return users


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    limit = 130 * cost * block
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=lanes, maxmem=limit + 2**20, dklen=32)
