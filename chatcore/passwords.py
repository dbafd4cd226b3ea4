"""Passwords: how they are kept, how they are compared, and `chatcore passwd`, which makes what is kept of one.

What is kept is `$scrypt$ln=15,r=8,p=3$salt$hash`, in the form of the PHC string format, so that the cost can rise
without making old ones worthless. Invariants: a password is compared in constant time; a name that nobody has costs
as much as one that somebody has; and what stands in a file cannot ask for more memory or time than is bounded here.

`Keyring` is what a running server knows. Its `opens` and `operator` are slow by design and belong into a thread;
`remembers` is quick: of the server's password, which 5,000 people may send at once, a fast mark is kept after the
first success, keyed by what only this process knows.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import sys
import unicodedata
from typing import TYPE_CHECKING, NamedTuple, Self

from chatcore.hub.names import fold
from chatcore.printing import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.connection.admission import Operator

COST_LOG2 = 15
BLOCK_SIZE = 8
PARALLEL = 3
"""32 MiB and 0.2 s a try. What OWASP's cheat sheet asks for at this much memory; two thirds of the work of its first
choice (ln=17), which takes 128 MiB."""

SALT_BYTES = 16
"""As RFC 9106 3.1 has it: never met twice."""

HASH_BYTES = 32
HASH_BYTES_LEAST = 16
HASH_BYTES_MOST = 64
"""Of a hash made elsewhere: fewer would be guessed, and RFC 7914's own examples have 64."""

MEMORY_MOST = 256 * 1024 * 1024
"""Bytes that one try may take, whatever a file asks for: twice what the costliest recommendation takes."""

WORK_MOST = 1 << 22
"""Of N·r·p, likewise: four times the costliest recommendation, some 2 s."""

MAXMEM_SPARE = 1024 * 1024
"""For what another OpenSSL may count: too little here would refuse every password."""

PASSWORD_CHARACTERS = 128
"""Of a password: more than a person types, and it fits a line of every dialect."""

FORM = "$scrypt$ln=15,r=8,p=3$salt$hash"

_PHC = re.compile(
    r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,6}),p=([0-9]{1,6})\$([A-Za-z0-9+/]{1,128})\$([A-Za-z0-9+/]{1,128})"
)


class BadHash(ValueError):
    """A text is no hash that can be used; says why, to follow "must be"."""


class Scrypt(NamedTuple):
    """What is kept of a password."""

    cost_log2: int
    block_size: int
    parallel: int
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, password: str, *, cost_log2: int = COST_LOG2, parallel: int = PARALLEL) -> Self:
        """Of a new password. Slow."""
        fresh = cls(
            cost_log2, BLOCK_SIZE, parallel, secrets.token_bytes(SALT_BYTES), bytes(HASH_BYTES)
        )
        return fresh._replace(digest=fresh.derive(password))

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what stands in a file. Raises BadHash."""
        found = _PHC.fullmatch(text)
        if found is None:
            raise BadHash(f"what `chatcore passwd` prints, {FORM}")
        cost_log2, block_size, parallel = map(int, found.groups()[:3])
        salt, digest = _decoded(found[4]), _decoded(found[5])
        if not (cost_log2 and block_size and parallel):
            raise BadHash("a scrypt hash whose ln, r and p are 1 or more")
        # By the logarithm first: 2^99 is a number, and not one to multiply with.
        if cost_log2 > MEMORY_MOST.bit_length() or (
            _memory(cost_log2, block_size, parallel) > MEMORY_MOST
            or (block_size << cost_log2) * parallel > WORK_MOST
        ):
            raise BadHash(
                f"a cheaper scrypt hash: one try may take {MEMORY_MOST >> 20} MiB and some 2 s"
            )
        if cost_log2 >= 16 * block_size:
            # RFC 7914 2: N < 2^(128·r/8). Another one can be computed with no password.
            raise BadHash("a scrypt hash whose ln is below 16·r")
        if not HASH_BYTES_LEAST <= len(digest) <= HASH_BYTES_MOST:
            raise BadHash(f"a scrypt hash of {HASH_BYTES_LEAST} to {HASH_BYTES_MOST} bytes")
        return cls(cost_log2, block_size, parallel, salt, digest)

    def __str__(self) -> str:
        cost = f"ln={self.cost_log2},r={self.block_size},p={self.parallel}"
        return f"$scrypt${cost}${_encoded(self.salt)}${_encoded(self.digest)}"

    def derive(self, password: str) -> bytes:
        """What this password gives with the salt and at the cost of this one. Slow; lets other threads run."""
        return hashlib.scrypt(
            _bytes_of(password),
            salt=self.salt,
            n=1 << self.cost_log2,
            r=self.block_size,
            p=self.parallel,
            maxmem=_memory(self.cost_log2, self.block_size, self.parallel) + MAXMEM_SPARE,
            dklen=len(self.digest),
        )

    def matches(self, password: str) -> bool:
        """It is this one's password. Slow."""
        return hmac.compare_digest(self.derive(password), self.digest)


class Keyring:
    """What a running server knows of passwords; see the module.

    `server` is the server's password or its hash, as in the settings. Raises BadHash.
    """

    def __init__(self, server: str | None = None, operators: Iterable[Operator] = ()) -> None:
        self.guarded = server is not None
        """Who arrives needs a password."""
        self._server: Scrypt | None = None
        self._mark_key = secrets.token_bytes(HASH_BYTES)
        self._mark = b""
        if server is not None and server.startswith("$scrypt$"):
            self._server = Scrypt.parse(server)
        elif server is not None:
            # Of the password itself, which stands in the file, nothing else is kept in memory.
            self._mark = self._marked(server)
        self._operators = {
            fold(each.name): (each.name, Scrypt.parse(each.hash)) for each in operators
        }
        costliest = max(
            (kept for _, kept in self._operators.values()),
            key=lambda kept: (kept.block_size << kept.cost_log2) * kept.parallel,
            default=Scrypt(COST_LOG2, BLOCK_SIZE, PARALLEL, b"", bytes(HASH_BYTES)),
        )
        self._nobody = costliest._replace(salt=secrets.token_bytes(SALT_BYTES))
        """What a name is compared with that nobody has: it takes as long, and nothing matches it."""

    def updated(self, server: str | None, operators: Iterable[Operator]) -> Keyring:
        """What these settings give: this one, with what it remembers, if they have not changed."""
        new = Keyring(server, operators)
        if server is None or new._server is not None:
            same = (self.guarded, self._server) == (new.guarded, new._server)
        else:
            same = self._server is None and self.remembers(server)
        return self if same and self._operators == new._operators else new

    def kept_of(self, name: str) -> Scrypt | None:
        """The hash of an operator's password."""
        found = self._operators.get(fold(name))
        return None if found is None else found[1]

    def remembers(self, password: str) -> bool:
        """It is the server's password, as far as can be told quickly; False says nothing."""
        return bool(self._mark) and hmac.compare_digest(self._marked(password), self._mark)

    def opens(self, password: str) -> bool:
        """It is the server's password. Slow; for one thread at a time."""
        if self._server is None:
            # In a plain setting the mark knows; the work is done so that guessing stays slow.
            self._nobody.matches(password)
            return self.remembers(password)
        if not self._server.matches(password):
            return False
        self._mark = self._marked(password)
        return True

    def operator(self, name: str, password: str) -> str:
        """The operator's name as it is written, if this is the password; empty if it is not.

        Slow, and equally so whether there is such a name or not.
        """
        written, kept = self._operators.get(fold(name), ("", self._nobody))
        return written if kept.matches(password) else ""

    def _marked(self, password: str) -> bytes:
        return hmac.digest(self._mark_key, _bytes_of(password), "sha256")


def _memory(cost_log2: int, block_size: int, parallel: int) -> int:
    """Bytes that one try takes: RFC 7914's V and B, and OpenSSL's two blocks to work with."""
    return 128 * block_size * ((1 << cost_log2) + parallel + 2)


def _bytes_of(password: str) -> bytes:
    """RFC 8265 4.2: composed, so that the same characters from another keyboard are the same password."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _encoded(data: bytes) -> str:
    """Base64 without padding, as the PHC string format has it."""
    return base64.b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise BadHash(f"what `chatcore passwd` prints, {FORM}") from None


USAGE = """\
usage: chatcore passwd [--help]

Print the hash of a password, for the server's settings: [server] password, or hash in [[operators]].
At a terminal it asks for the password twice and shows nothing; from a pipe it reads one line.
exit status: 0 printed; 64 wrong usage, or not a password that one can use.
"""

EXIT_USAGE = 64


def main(argv: list[str]) -> int:
    """`chatcore passwd`. Returns the exit code."""
    if argv in (["--help"], ["-h"]):
        return say(USAGE)
    if argv:
        return _failed("passwd takes no password as an argument: others could read it there")
    if sys.stdin.isatty():
        import getpass  # and termios: no server needs them

        try:
            password = getpass.getpass("Password: ")
            again = getpass.getpass("Again: ")
        except (EOFError, KeyboardInterrupt):
            return _failed("nothing was chosen")
        if again != password:
            return _failed("the two are not the same. Try again.")
    else:
        password = sys.stdin.readline(4 * PASSWORD_CHARACTERS).rstrip("\r\n")
    if wrong := unusable(password):
        return _failed(f"a password must be {wrong}")
    return say(f"{Scrypt.of(password)}\n")


def unusable(password: str) -> str | None:
    """What a password has to be, if this cannot be one: people must be able to type it as a line."""
    if not password:
        return "a text that is not empty"
    if len(password) > PASSWORD_CHARACTERS:
        return f"at most {PASSWORD_CHARACTERS} characters"
    if not password.isprintable() or password != password.strip():
        return "something that one can type: no control characters, no space at its ends"
    return None


def _failed(words: str) -> int:
    sys.stderr.write(f"chatcore: {words}\n")
    return EXIT_USAGE
