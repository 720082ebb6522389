"""Random requests through the API of a WebUI."""

from __future__ import annotations

from collections import Counter
from typing import Any

import hypothesis
from hypothesis import HealthCheck, given, settings

from tests.demo.client import WebuiClient, WebuiError
from tests.fuzz.requests import arguments, names_a_field
from tests.integration.payloads import payload


def send(webui: WebuiClient, args: list[Any]) -> int:
    """Sends these arguments; the status. Fails unless it is a picture or a sentence."""
    request = payload(steps=1)
    request["alwayson_scripts"] = {"FABRIC": {"args": args}}
    try:
        assert webui.txt2img(**request).pictures
    except WebuiError as error:
        assert error.status == 422, error
        assert error.body["error"] == "FabricError", error
        assert names_a_field(error.body["detail"]), error
        return 422
    return 200


def send_many(webui: WebuiClient, examples: int, seed: int) -> str:
    """Sends random requests and looks at the WebUI before and after; what came of them."""
    plain = webui.txt2img(**payload()).pictures[0].tobytes()
    statuses: Counter[int] = Counter()

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        derandomize=False,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(arguments())
    def run(args: list[Any]) -> None:
        statuses[send(webui, args)] += 1

    run()
    assert webui.txt2img(**payload()).pictures[0].tobytes() == plain
    return f"{statuses.total()} requests ({dict(statuses)})"
