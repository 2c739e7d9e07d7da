"""The customers' mails as templates for Klaviyo: made from layouts and themes, read for uploading.

    python -m ops.klaviyo_templates        what `make templates` runs

Klaviyo's language has no include, so a mail's layout has to be repeated in each theme's template.
`klaviyo/layouts` holds it once and `klaviyo/themes.toml` what differs; what is made from them lies
in `klaviyo/templates`, which is exactly what is uploaded. A test compares the two.

Layouts are Jinja with square brackets (`[[ theme.face ]]`), because the curly ones are Klaviyo's.
"""

import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from giftcards.clients.klaviyo import Template
from giftcards.domain.deliveries import DeliveryKind

PLACE = Path(__file__).resolve().parents[1] / "klaviyo"
LAYOUTS = PLACE / "layouts"
THEMES = PLACE / "themes.toml"
TEMPLATES = PLACE / "templates"

# Each kind's layout, and the folder of its templates.
LAYOUT_NAMES = {
    DeliveryKind.CARDS_DELIVERED: "delivered",
    DeliveryKind.GIFT_CONFIRMED: "confirmed",
}

SANS = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
SERIF = "Georgia,'Times New Roman',Times,serif"

# What mail programs show beside the subject.
PREVIEWS = {
    DeliveryKind.CARDS_DELIVERED: "Good on the web and in every store. The code is inside.",
    DeliveryKind.GIFT_CONFIRMED: "Please check the address it goes to.",
}

TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """A kind's template in one theme, ready to be uploaded; `subject` is typed in by hand."""

    kind: DeliveryKind
    theme: str
    subject: str
    template: Template


def template_name(kind: DeliveryKind, theme: str) -> str:
    """The name in the account: `Gift Card Delivered (wedding)`."""
    return f"{kind.value} ({theme})"


def make_files() -> dict[Path, str]:
    """What belongs into `klaviyo/templates`, by path below it."""
    layouts = Environment(
        loader=FileSystemLoader(LAYOUTS),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - it makes templates; Klaviyo's own filters escape
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
    )
    themes: Mapping[str, Mapping[str, Any]] = tomllib.loads(THEMES.read_text("utf-8"))
    files = {}
    for kind, layout in LAYOUT_NAMES.items():
        for name, theme in themes.items():
            values = {
                "theme": theme,
                "subject": theme[f"{layout}_subject"],
                "headline": theme[f"{layout}_headline"],
                "headline_text": without_escaping(theme[f"{layout}_headline"]),
                "preview": PREVIEWS[kind],
                "headline_font": SERIF if theme["serif"] else SANS,
                "body_font": SANS,
            }
            for suffix in ("html", "txt"):
                text = layouts.get_template(f"{layout}.{suffix}").render(values)
                files[Path(layout) / f"{name}.{suffix}"] = text
    return files


def read_templates() -> list[MailTemplate]:
    """Every template in `klaviyo/templates`, by kind and theme."""
    return [
        _read(kind, path)
        for kind, layout in LAYOUT_NAMES.items()
        for path in sorted((TEMPLATES / layout).glob("*.html"))
    ]


def _read(kind: DeliveryKind, path: Path) -> MailTemplate:
    html = path.read_text("utf-8")
    found = TITLE.search(html)
    return MailTemplate(
        kind=kind,
        theme=path.stem,
        subject=without_escaping(found[1]) if found else "",
        template=Template(
            name=template_name(kind, path.stem),
            html=html,
            text=path.with_suffix(".txt").read_text("utf-8"),
        ),
    )


def without_escaping(source: str) -> str:
    """The same template for plain text, where nothing has to be escaped."""
    return source.replace("|escape", "")


def main() -> int:
    """Write the templates anew, and remove those of themes that are gone."""
    files = make_files()
    for old in TEMPLATES.rglob("*.*"):
        if old.relative_to(TEMPLATES) not in files:
            old.unlink()
    for path, text in files.items():
        (TEMPLATES / path).parent.mkdir(parents=True, exist_ok=True)
        (TEMPLATES / path).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
