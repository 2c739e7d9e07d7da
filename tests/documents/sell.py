"""Writes the parts of docs/sell.md that the code itself can tell.

python -m tests.documents.sell        what `make docs` runs
"""

from collections.abc import Mapping

from tests.documents.document import Document, show
from tests.documents.examples import Example
from tests.documents.sales import TO_CUSTOMERS, TO_STORES, TO_THE_OFFICE


def _all(examples: Mapping[str, Example]) -> str:
    return "\n\n".join(show(title, example) for title, example in examples.items())


DOCUMENT = Document(
    "sell.md",
    {
        "to stores": lambda: _all(TO_STORES),
        "to the office": lambda: _all(TO_THE_OFFICE),
        "to customers": lambda: _all(TO_CUSTOMERS),
    },
)

if __name__ == "__main__":
    DOCUMENT.write()
