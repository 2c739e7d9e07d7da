"""Which histories `make proof` tells to the last of them."""

from typing import Final

# What is told to the last of them: of each kind of operation the plainest story, shortest first,
# and of two operations that meet on one card. On two cores that is a night or two; whoever is cut
# off goes on where he was.
WHOLE: Final = (
    ("doubles", "check"),
    ("doubles", "resend"),
    ("doubles", "buy-cancelled"),
    ("doubles", "redeem"),
    ("doubles", "spend"),
    ("doubles", "sell"),
    ("doubles", "undo"),
    ("triples", "redeem"),
    ("doubles", "buy"),
    ("doubles", "buy-returned"),
    ("pairs", "redeem-and-web"),
    ("pairs", "redeem-and-deactivate"),
    ("pairs", "redeem-and-credit"),
    ("pairs", "redeem-two-stores"),
)
