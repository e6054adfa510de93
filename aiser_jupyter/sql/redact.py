"""Take the secrets out of a text before it is kept or logged. No parser: it works for any text.

A statement that carries a secret loses all its literals, because which of them is the secret differs between
databases. It is better to hide too much of such a statement than a part too little.
"""

from __future__ import annotations

import re
from itertools import pairwise

from .scan import Token, scan, word_set

__all__ = ["redact"]

HIDDEN = "'***'"

_SECRET_WORD = re.compile(
    r"(?:\A|_)(?:PASSWORD|PASSWD|PWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|APIKEY|KEY|KEY_ID|SAS)\Z"
)
_PASSWORD_WORD = re.compile(r"(?:\A|_)(?:PASSWORD|PASSWD|PWD|PASSPHRASE)\Z")
_SECRET_TEXT = re.compile(
    r"://[^\s/'\"@]*:[^\s/'\"@]*@"  # scheme://user:password@host
    r"|(?:password|passwd|pwd|passphrase|secret|token|signature|sig|(?:api|access|account|private)_?key)"
    r"[\"']?\s*[=:]\s*[^\s;,&]",
    re.IGNORECASE,
)
_READS = word_set("SELECT WITH FROM VALUES TABLE PIVOT UNPIVOT SUMMARIZE DESCRIBE DESC SHOW EXPLAIN")
_SECRET_NAME = re.compile(
    r"(?:IF NOT EXISTS ?)?(?:(?!IN\b)\S+ ?)?(?:IN \S+)?"
    r"|(?:IF NOT EXISTS )?FOR \S+ SERVER \S+(?: OPTIONS)?"
)
"""What may stand between ``SECRET``, or ``USER MAPPING``, and its options."""
_LITERALS = frozenset({"value", "dollar", "name"})


def redact(text: str) -> str:
    r"""Return ``text`` without its secrets; a text that carries none is returned as it is.

    Known: ``CREATE`` and ``ALTER SECRET``, ``IDENTIFIED BY``, ``PASSWORD '…'``, settings and options named as
    a key, secret, token or password, ``CREDENTIALS``, and texts such as ``password=…`` or
    ``scheme://user:password@host``.

    Examples
    --------
    >>> redact("CREATE USER u IDENTIFIED BY 'hunter2'")
    "CREATE USER u IDENTIFIED BY '***'"
    >>> redact("SELECT 'hunter2'")
    "SELECT 'hunter2'"
    """
    tokens = list(scan(text))
    solid = [token for token in tokens if token.kind not in ("space", "comment")]
    hides_comments = any(_SECRET_TEXT.search(token.text) for token in tokens if token.kind == "comment")
    tail = _tail(solid)
    if not hides_comments and tail is None and not _carries_secret(solid):
        return text
    if tail is None and ("\\'" in text or '\\"' in text):
        # A dialect may or may not end a literal here: nothing after the first one is certain.
        tail = next((token.start for token in solid if token.kind in _LITERALS), None)
    kept = tokens if tail is None else [token for token in tokens if token.start < tail]
    shown = "".join(_hidden(token) for token in kept)
    return shown if tail is None else shown + HIDDEN


def _hidden(token: Token) -> str:
    if token.kind == "comment":
        return "/* *** */" if _SECRET_TEXT.search(token.text) else token.text
    if token.kind in ("value", "dollar") or (token.kind == "name" and token.text.startswith('"')):
        return HIDDEN
    return token.text


def _carries_secret(tokens: list[Token]) -> bool:
    words = [token.upper for token in tokens]
    if any(token.kind in _LITERALS and _SECRET_TEXT.search(token.text) for token in tokens):
        return True
    if ("IDENTIFIED", "BY") in pairwise(words) or ("IDENTIFIED", "WITH") in pairwise(words):
        return True
    reads = bool(tokens) and (words[0] in _READS or tokens[0].text == "(")
    if _is_secret_object(words) or (not reads and "CREDENTIALS" in words):
        return True
    named = _PASSWORD_WORD if reads else _SECRET_WORD
    return any(named.search(word) and _has_value(tokens, index) for index, word in enumerate(words))


def _is_secret_object(words: list[str]) -> bool:
    """Say whether this creates or alters a SECRET (or a USER MAPPING, whose options are one)."""
    if words[:1] not in (["CREATE"], ["ALTER"]):
        return False
    rest = [word for word in words[1:8] if word not in ("OR", "REPLACE", "PERSISTENT", "TEMPORARY", "TEMP")]
    return rest[:1] == ["SECRET"] or rest[:2] == ["USER", "MAPPING"]


def _has_value(tokens: list[Token], index: int) -> bool:
    """Say whether the word is given a value: ``= '…'``, ``TO '…'``, ``('…')`` or just ``'…'``."""
    for position, token in enumerate(tokens[index + 1 : index + 5]):
        if token.kind in ("value", "dollar") or (token.kind == "name" and position):
            return True
        if token.text not in ("=", ":", ">", "(", ":=") and token.upper != "TO":
            return False
    return False


def _options_at(tokens: list[Token], words: list[str]) -> int | None:
    """Return where the options of a SECRET begin; all that follows its keyword where that is not certain."""
    after = next(at for at, word in enumerate(words, 1) if word in ("SECRET", "MAPPING"))
    at = next((place for place, token in enumerate(tokens) if token.text == "("), None)
    if at is None or not _SECRET_NAME.fullmatch(" ".join(token.text.upper() for token in tokens[after:at])):
        at = after
    return tokens[at].start if at < len(tokens) else None


def _tail(tokens: list[Token]) -> int | None:
    """Return where a statement must be cut because its secret may be a bare word."""
    words = [token.upper for token in tokens]
    if _is_secret_object(words):
        return _options_at(tokens, words)
    if words[:1] == ["SET"]:
        at = next((i for i, t in enumerate(tokens) if t.text in ("=", ":=") or t.upper == "TO"), None)
        if at is not None and at + 1 < len(tokens) and any(_SECRET_WORD.search(word) for word in words[:at]):
            return tokens[at + 1].start
    return None
