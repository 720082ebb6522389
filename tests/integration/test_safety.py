"""What lies on disk stays there, and what was rated survives."""

from __future__ import annotations

import pytest

from tests.integration.payloads import payload

pytestmark = pytest.mark.integration


def test_rated_pictures_are_kept_but_not_served(standin, webui, rated):
    made = webui.txt2img(**payload(rated, steps=2, save_images=True))
    assert made.pictures
    kept = list((standin.data_dir / ".fabric").rglob("*.png"))
    assert len(kept) >= 3
    assert standin.get(f"/file={kept[0]}").status_code == 403
    outputs = list((standin.data_dir / "outputs").rglob("*.png"))
    served = standin.get(f"/file={outputs[0]}")
    assert served.status_code == 200, "the host serves its data folder, or this test proves nothing"


def test_nothing_is_printed_for_a_good_request(standin, webui, rated):
    before = len(standin.log())
    webui.txt2img(**payload(rated, steps=2))
    printed = standin.log()[before:]
    assert "Traceback" not in printed
    assert "fabric" not in printed.lower()
