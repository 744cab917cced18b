"""The README's picture: any viewer can show its file, and its text is up to date and readable."""

import re
import xml.etree.ElementTree as ET

import pytest
from picture import PICTURE
from story import DESCRIPTION, TITLE

from rind.cli.report import HEADER

TEXT = PICTURE.read_text()
SVG = "{http://www.w3.org/2000/svg}"
DARK = "@media (prefers-color-scheme:dark)"


def test_the_file_can_be_shown_anywhere() -> None:
    assert len(TEXT) < 300_000
    root = ET.fromstring(TEXT)
    allowed = {"svg", "title", "desc", "style", "g", "rect", "text"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name]
    for outside in ("url(", "@import", "@font-face", "/tmp/", "/home/", "/root/", "/Users/"):
        assert outside not in TEXT
    assert (root.findtext(f"{SVG}title"), root.findtext(f"{SVG}desc")) == (TITLE, DESCRIPTION)


def test_the_picture_moves_only_if_motion_is_wanted() -> None:
    still, moving = TEXT.split("@media (prefers-reduced-motion:no-preference)")
    assert "animation" not in still
    [seconds] = re.findall(r"animation:([\d.]+)s step-end infinite", moving)
    assert 25 <= float(seconds) <= 40
    rules = set(re.findall(r"@keyframes (k\d+)", moving))
    assert rules == set(re.findall(r'class="m (k\d+)', moving))


def test_the_pictures_list_has_the_current_columns() -> None:
    shown = set(re.findall(r">([A-Z-]+)</text>", TEXT))
    assert shown - {"PID", "COMMAND"} == {*HEADER} - {"NODE", "STATE"}


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_its_text_has_contrast(scheme: int) -> None:
    """As WCAG 2.2 asks of text of this size, success criterion 1.4.3."""
    fills = dict(re.findall(r"\.(\w+)\{fill:(#\w{6})\}", TEXT.split(DARK)[scheme]))
    grounds = [luminance(fills.pop(name)) for name in ("back", "bar", "paper")]
    del fills["line"]
    assert len(fills) > 5
    for name, fill in fills.items():
        for ground in grounds:
            dark, light = sorted((luminance(fill), ground))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, name


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(part * share for part, share in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
