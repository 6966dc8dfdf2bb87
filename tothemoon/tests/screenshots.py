"""The pictures of the README: `./run screenshots` starts the demo, waits until there is something to see, and takes every page of PAGES in
the dark and in the light, wide and on a phone. To show a further page, add a row to PAGES and its pictures to README.md."""

from __future__ import annotations

import argparse
import base64
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, StorageState, sync_playwright

HERE = Path(__file__).resolve().parent.parent.parent
PICTURES = HERE / "docs" / "pictures"
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--hide-scrollbars"]
SPEED = 20.0  # of the market; a quarter of an hour until the first outcome remains one
START_SEC, WAIT_SEC = 300.0, 120.0  # a machine may have much else to do
QUALITY = 82  # of WebP: text stays sharp
LARGEST_KB = 200
WIDE = {"viewport": {"width": 1440, "height": 1000}, "device_scale_factor": 1.0}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2.0, "has_touch": True, "is_mobile": True}
SIZES: dict[str, dict[str, Any]] = {"": WIDE, "-phone": PHONE}


@dataclass(frozen=True)
class Shown:
    """A page as it is pictured: where it is, what must have appeared, and what a hand does on it first."""

    name: str
    path: Callable[[str], str]
    ready: str
    act: Callable[[Page], None] = lambda page: None
    login: bool = False


def hottest_of_the_old(site: str) -> str:
    """The page of a token with a past: the highest score among those that have been there for most of the time."""
    with urllib.request.urlopen(f"{site}/api/tokens/?status=Active&sort=-score&limit=200", timeout=20) as answer:
        tokens = json.load(answer)["tokens"]
    old = sorted(token["created_at"] for token in tokens)[len(tokens) // 4]
    return f"/tokens/{next(token['address'] for token in tokens if token['created_at'] <= old)}/"


def traded_asset(site: str) -> str:
    """The page of an asset with something open, else of one that was judged."""
    with urllib.request.urlopen(f"{site}/api/trading/state", timeout=20) as answer:
        assets = json.load(answer)["assets"]
    best = max(assets, key=lambda asset: (asset["position"] is not None, asset["judgement"] is not None))
    return f"/trading/{best['address']}/"


def oldest_passport(site: str) -> str:
    """Of the first signal of a token with a past: what came of it after a quarter of an hour is known."""
    address = hottest_of_the_old(site).split("/")[2]
    with urllib.request.urlopen(f"{site}/evidence/signals/?token={address}", timeout=60) as answer:
        return re.findall(r'href="(/evidence/signals/\d+/)"', answer.read().decode())[-1]


def work_out_again(page: Page) -> None:
    page.locator("#again button").click()
    page.locator(".answer-again").wait_for()
    page.evaluate("scrollTo(0, 0)")


def point_into_the_past(page: Page) -> None:
    box = page.locator("#charts .u-over").first.bounding_box()
    if box is not None and page.viewport_size is not None and page.viewport_size["width"] > 600:
        page.locator("#charts").evaluate("charts => scrollTo(0, charts.getBoundingClientRect().top + scrollY - 330)")
        box = page.locator("#charts .u-over").first.bounding_box() or box
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2)


def draft(page: Page) -> None:
    """A weight is turned up, and the preview says what that would do."""
    page.locator("input[type=range][data-for=id_weight_vol_momentum]").evaluate(
        "slider => { slider.value = '0.6'; slider.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    page.locator("#preview").get_by_text("weight_vol_momentum 0.25 → 0.6").first.wait_for()


PAGES = (
    Shown("list", lambda site: "/?min_age=90s", "#list .token"),  # the youngest say little yet
    Shown("token", hottest_of_the_old, "#charts[data-drawn]", point_into_the_past),
    Shown("trading", lambda site: "/trading/", "#trading .decisions li"),
    Shown("asset", traded_asset, "#charts[data-drawn]"),
    Shown("evidence", lambda site: "/evidence/?horizon=15", ".plots"),
    Shown("passport", oldest_passport, "#again button", work_out_again),
    Shown("console", lambda site: "/admin/scoring/console/", "#verdict", draft, login=True),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=18.0, help="how long the demo runs before the first picture (default 18)")
    parser.add_argument("--folder", type=Path, default=PICTURES, help="where the pictures go (default docs/pictures)")
    wishes = parser.parse_args()
    wishes.folder.mkdir(parents=True, exist_ok=True)
    with demo() as (site, password), sync_playwright() as playwright:
        print(f"the demo runs at {site}; pictures in {wishes.minutes:g} minutes", flush=True)
        time.sleep(wishes.minutes * 60)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        session = log_in(chromium, site, password)
        sizes = [take(chromium, site, session, page, wishes.folder) for page in PAGES]
        chromium.close()
    largest = max(size for of_page in sizes for size in of_page)
    print(f"{sum(map(len, sizes))} pictures in {wishes.folder}, the largest {largest / 1024:.0f} KB")
    if largest > LARGEST_KB * 1024:
        sys.exit(f"a picture has more than {LARGEST_KB} KB")


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """The address of a running demo, and the password of its `admin`; gone afterwards."""
    folder = HERE / "var" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "said.txt"
    line = [sys.executable, str(HERE / "manage.py"), "demo", "--port", "0", "--speed", f"{SPEED:g}", "--folder", str(folder)]
    with log.open("w") as said:
        child = subprocess.Popen(line, cwd=HERE, stdout=said, stderr=subprocess.STDOUT)
    try:
        yield started(child, log)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)


def started(child: subprocess.Popen[bytes], log: Path) -> tuple[str, str]:
    until = time.monotonic() + START_SEC
    while child.poll() is None and time.monotonic() < until:
        said = log.read_text()
        site, password = re.search(r"open (http://\S+?)/?$", said, re.MULTILINE), re.search(r"password: (\S+)", said)
        if site and password:
            return site[1], password[1]
        time.sleep(0.5)
    sys.exit(f"the demo did not start:\n{log.read_text()}")


def take(chromium: Browser, site: str, session: StorageState, shown: Shown, folder: Path) -> list[int]:
    """All pictures of a page; their sizes in bytes."""
    path, sizes = shown.path(site), []
    for theme in ("light", "dark"):
        for suffix, size in SIZES.items():
            state = session if shown.login else None
            context = chromium.new_context(**size, color_scheme=theme, reduced_motion="reduce", storage_state=state)
            page = context.new_page()
            page.set_default_timeout(WAIT_SEC * 1000)
            page.goto(site + path)
            page.locator(shown.ready).first.wait_for()
            shown.act(page)
            page.wait_for_timeout(800)
            picture = base64.b64decode(
                context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})["data"]
            )
            (folder / f"{shown.name}{suffix}-{theme}.webp").write_bytes(picture)
            sizes.append(len(picture))
            context.close()
    return sizes


def log_in(chromium: Browser, site: str, password: str) -> StorageState:
    """The cookies of an operator."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(WAIT_SEC * 1000)
    page.goto(f"{site}/admin/login/?next=/admin/scoring/readkey/")
    page.locator("#id_username").fill("admin")
    page.locator("#id_password").fill(password)
    page.locator("#id_password").press("Enter")
    page.wait_for_url("**/admin/scoring/readkey/", wait_until="commit")
    state = context.storage_state()
    context.close()
    return state


if __name__ == "__main__":
    main()
