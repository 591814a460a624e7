"""axe-core, the accessibility checker of the browsers, let loose on a page; it is fetched from npm once."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

VERSION = "4.14.1"
DIRECTORY = Path(__file__).parents[2] / ".hotpass/axe"
SCRIPT = DIRECTORY / "node_modules/axe-core/axe.min.js"
NPM = shutil.which("npm")
# WCAG 2.2 AA, and what axe's authors advise beyond it.
RUN = """async () => {
    const found = await axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return found.violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(({ html, failureSummary }) => [html, failureSummary]) }));
}"""  # noqa: E501


@cache
def checker() -> str:
    """The script, fetched if it is not here yet; skips the test where nothing can fetch it."""
    if not SCRIPT.is_file():
        if NPM is None:
            pytest.skip("needs npm for axe-core")
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        command = [NPM, "install", "--silent", "--no-audit", "--no-fund", "--prefix", DIRECTORY, f"axe-core@{VERSION}"]
        subprocess.run(command, check=True, timeout=300)
    return SCRIPT.read_text(encoding="utf-8")


async def violations(page: Page) -> list[dict[str, Any]]:
    """`{id, impact, nodes}` of every rule that the page breaks as it stands."""
    await page.evaluate(checker())
    return list(await page.evaluate(RUN))
