"""What the hub seldom uses is not loaded by its start, and is whole when it is used after all."""

from __future__ import annotations

import subprocess
import sys

import pytest

START = """
import sys
from hub.realtime.deferred import SELDOM, defer_what_is_seldom_used
defer_what_is_seldom_used()
import hub.app
loaded = {name.partition(".")[0] for name in sys.modules if "." in name}
assert not loaded & set(SELDOM), loaded & set(SELDOM)
"""


@pytest.mark.parametrize(
    "use",
    [
        "",
        "import aiohttp; assert aiohttp.ClientSession.get",
        "from aiohttp import web; assert web.Application",
        "import aiohttp.web; assert aiohttp.web.Application and aiohttp.ClientSession",
        "from hub.auth.senders import apprise; assert apprise.Apprise().add('json://localhost')",
        "from requests.adapters import HTTPAdapter; import requests; assert requests.Session().adapters",
    ],
    ids=["nothing", "a name", "a part", "a part by its path", "through a module of ours", "a part and the whole"],
)
def test_the_start_of_a_hub_loads_none_of_it_and_a_use_loads_it(use: str):
    ran = subprocess.run([sys.executable, "-c", START + use], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
