"""The questions we ask Shopify stand in files of their own, beside this one."""

from functools import cache
from importlib import resources


@cache
def document(name: str) -> str:
    """The GraphQL document `name`.graphql of this folder, read when it is first needed.

    Its comments are for us and stay here.
    """
    text = resources.files(__package__).joinpath(f"{name}.graphql").read_text(encoding="utf-8")
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
