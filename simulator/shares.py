"""How many histories each story gets of those that are wanted.

What a story costs is known: the effects it has when nothing goes wrong. A story that is twice as
long is told a thirty-second as often, since each of its histories takes twice the time, and thirty
thousand are to take two minutes: the short stories, in which most of the money moves, are told
most. No story is told more often than there are histories of it, and where there is enough for
all, none less often than `at_least`.
"""

from collections.abc import Mapping


def shared_out(
    count: int,
    effects: Mapping[str, int],
    *,
    most: Mapping[str, int] | None = None,
    at_least: int = 0,
) -> dict[str, int]:
    """Of `count` histories, how many each story gets; `effects` says how long each story is.

    Where a story has no more than `most`, the others share what is left of its part.
    """
    if 0 < at_least * len(effects) <= count:
        least = {n: at_least if most is None else min(at_least, most[n]) for n in effects}
        room = None if most is None else {name: most[name] - least[name] for name in effects}
        rest = shared_out(count - sum(least.values()), effects, most=room)
        return {name: least[name] + rest[name] for name in effects}
    shares = dict.fromkeys(effects, 0)
    open_ones = {name: 1 / length**5 for name, length in effects.items()}
    for _ in range(len(effects)):
        left = count - sum(shares.values())
        together = sum(open_ones.values())
        full = {
            name: most[name]
            for name, weight in open_ones.items()
            if most is not None and most[name] <= left * weight / together
        }
        if not full:
            break
        shares |= full
        for name in full:
            del open_ones[name]
    left, together = count - sum(shares.values()), sum(open_ones.values())
    for name, weight in open_ones.items():
        shares[name] = int(left * weight / together)
    for name in sorted(open_ones, key=lambda one: -open_ones[one]):
        if sum(shares.values()) < count:
            shares[name] += 1  # what the rounding left
    return shares
