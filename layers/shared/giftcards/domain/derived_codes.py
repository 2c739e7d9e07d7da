"""The codes of the cards we issue: worked out from a keyed digest, so that none has to be kept.

A card's code is a MAC (HMAC-SHA256 by a key that never leaves KMS) over who asks and what for,
written in an alphabet made for people. Whoever may use the key gets the same code again at any
time, for a second try or a second mail; nobody else can work it out.

**The alphabet** has the 17 characters `34679cdfhjkprtwxy`. Of characters that are taken for each
other, none is left, so whoever reads one of ours has nothing to mix up:

    0 o · 1 i l       drawn alike, in print too
    u v · 5 s · 8 b · 2 z · 9 g q
                      written alike by hand (9 stays: without g and q it has no double)
    m n               heard alike on the telephone (and so were b and v, s and f, which are gone)
    a e               with them, codes would spell words, and some of those are insults; without a
                      vowel they spell no label either ("card", "gift"), which cleaning might drop

What rhymes in English (c, d, p, t, 3) had to stay; whoever mishears one of these has no other card,
because of 2**81 codes next to none is a card's.

**The length** is 20, the most that Shopify takes: five groups of four, as cards print them. 17
characters hold 4.09 bits each, so a code holds 81.7 bits; at least 80 are wanted, because those who
guess try millions an hour. 19 would hold 77.7. (Sixteen characters could not hold 80 bits without
look-alikes: that takes an alphabet of 32, and without 0, o, 1, i and l there are 31.)

**The bias** of writing 256 bits in an alphabet of 17 cannot be seen: the digest is one number below
2**256, and the code is its remainder by 17**20. A code is hit by either n or n + 1 of the digests,
n being 2**256 // 17**20, so no code is likelier than another by more than 17**20 in 2**256: that is
one part in 2**174.
"""

from typing import Final

from giftcards.domain.codes import Code

ALPHABET: Final = "34679cdfhjkprtwxy"
CODE_LENGTH: Final = 20
DIGEST_BYTES: Final = 32  # HMAC-SHA256

# How many codes there are: the remainder of the digest picks one.
CODES: Final = len(ALPHABET) ** CODE_LENGTH

# The first part of every message, so that a digest made for a code is good for nothing else, and so
# that another way of writing messages could be told from this one.
PURPOSE: Final = "gift-card-code-1"

# KMS, GenerateMac: a message has 4,096 bytes at most.
LONGEST_MESSAGE_BYTES: Final = 4096


def code_message(*, stage: str, shop: str, operation: str, counter: int) -> bytes:
    """What the digest of a card's code is made of; no two different inputs give one message.

    Each part stands behind its length in bytes (a netstring: `4:test,`), so no sign in a part can
    be taken for the end of it. `stage` and `shop` keep two deployments apart that share a key,
    `operation` is the operation's key in the journal, and `counter` starts at 0 and grows only
    where a code was found to belong to a foreign card.
    Raises `ValueError` for an empty part, a counter below 0, or more than KMS takes.
    """
    parts = {"stage": stage, "shop": shop, "operation": operation}
    empty = [name for name, part in parts.items() if not part]
    if empty:
        raise ValueError(f"a code is derived from all of its parts; empty: {', '.join(empty)}")
    if counter < 0:
        raise ValueError("the counter of a code starts at 0")
    message = b"".join(map(_netstring, (PURPOSE, *parts.values(), str(counter))))
    if len(message) > LONGEST_MESSAGE_BYTES:
        raise ValueError(f"KMS takes messages of at most {LONGEST_MESSAGE_BYTES} bytes")
    return message


def derive_code(mac: bytes) -> Code:
    """The card code that the digest `mac` (32 bytes) stands for.

    Raises `ValueError` for a digest of another length, without repeating it.
    """
    if len(mac) != DIGEST_BYTES:
        raise ValueError(f"a code is derived from a digest of {DIGEST_BYTES} bytes")
    number = int.from_bytes(mac, "big") % CODES
    characters = []
    for _ in range(CODE_LENGTH):
        number, place = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[place])
    return Code("".join(reversed(characters)))


def _netstring(text: str) -> bytes:
    part = text.encode("utf-8")
    return b"%d:%b," % (len(part), part)
