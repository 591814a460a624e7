"""What every page has: its style sheets, its manifest, and a way for the look to be dark or light.

`?scheme=dark` or `?scheme=light` fixes the look; without it the kitchen is dark and everything else follows the device.
"""

from __future__ import annotations

from nicegui import ui

HEAD = """
<meta name="theme-color" content="#12151a">
<link rel="manifest" href="/static/manifest.webmanifest">
<link rel="stylesheet" href="/static/theme.css">
<link rel="stylesheet" href="/static/base.css">
"""
SCHEMES = ("dark", "light")


def frame(*, style_sheet: str | None = None, scheme: str | None = None) -> None:
    """Prepare the page that is being built: `style_sheet` is a file of `static/`, `scheme` dark, light or None."""
    sheet = f'<link rel="stylesheet" href="/static/{style_sheet}">' if style_sheet else ""
    ui.add_head_html(HEAD + sheet)
    if scheme in SCHEMES:
        ui.query("body").props(f"data-scheme={scheme}")
    ui.dark_mode(value={"dark": True, "light": False}.get(scheme or ""))
    ui.query(".nicegui-content").classes(replace="page")
