"""What a mail address looks like: one rule for stores, recipients, purchasers and the office.

On purpose the rule is narrower than the standard: it keeps out whatever could be a second address,
a name or a line of a mail's header, and what Amazon's mail service does not deliver to. Whether an
address reaches anybody, only a mail can tell.
"""

import hashlib
import re
from typing import Final

# RFC 5321: 64 bytes before the @, and 254 in all (with RFC 3696's erratum).
LONGEST_LOCAL_PART: Final = 64
LONGEST_ADDRESS: Final = 254

# Visible ASCII without the signs that separate addresses or open a comment, a name or a quotation.
# SES delivers to no other letters: it has no SMTPUTF8, and a domain of another script stands in its
# ASCII form (`xn--…`). (SES developer guide, "Email format and character encoding".)
_ATOM = r"[!#-'*+\-/-9=?A-Z^-~]+"
# Dots stand between something, before the @ as well as in the domain, which has at least one.
_LABEL = "[A-Za-z0-9-]+"  # spelled out: Python's IGNORECASE would let in ſ and the Kelvin sign
_ONE_ADDRESS = re.compile(rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@{_LABEL}(?:\.{_LABEL})+")


def is_one_address(text: str) -> bool:
    """Whether `text` is one mail address and nothing else, by the rule at the top."""
    if len(text) > LONGEST_ADDRESS:
        return False
    found = _ONE_ADDRESS.fullmatch(text)
    return found is not None and len(found["local"]) <= LONGEST_LOCAL_PART


def same_mailbox(text: str) -> str:
    """An address in the form by which caps and locks count it.

    Capitals make no difference, nor does what stands behind a plus: `rosa+1@` and `rosa+2@` are
    read by one Rosa nearly everywhere, and would be counted as two.
    """
    local, at, domain = text.strip().casefold().partition("@")
    return f"{local.partition('+')[0] or local}{at}{domain}"


def mailbox_key(text: str) -> str:
    """The mailbox as part of a table's key: whoever reads the keys reads no addresses."""
    return hashlib.sha256(same_mailbox(text).encode()).hexdigest()
