"""The questions we ask Shopify stand in files of their own, beside this one."""

from functools import cache
from importlib import resources


@cache
def document(name: str) -> str:
    """The GraphQL document `name`.graphql of this folder, read when it is first needed."""
    return resources.files(__package__).joinpath(f"{name}.graphql").read_text(encoding="utf-8")
