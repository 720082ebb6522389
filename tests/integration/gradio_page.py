"""A page of the WebUI without a browser: gradio's own protocol, as its page speaks it.

Knows HTTP, the websocket of gradio's queue and the host's element ids. Every event goes through
the queue with the page's own session, components that it shows are remembered by element id.
"""

from __future__ import annotations

import io
import json
import secrets
from typing import Any

import httpx
from PIL import Image
from websockets.sync.client import connect

from lib_fabric.ratings import LIST_NAMES
from tests.helpers.page_edits import edited, ids_in

# Nothing waits longer than it has to; a slow machine with many clients needs its time.
PATIENCE_S = 600


class GradioPage:
    """One open page of one browser.

    Args:
        url: the WebUI's address.
        login: user and password, where the page wants them.
        browser: the key by which FABRIC knows the browser; its own by default.
    """

    def __init__(
        self, url: str, login: tuple[str, str] | None = None, browser: str | None = None
    ) -> None:
        self._http = httpx.Client(base_url=url, timeout=PATIENCE_S)
        self._login = login
        if login is not None:
            user, password = login
            answer = self._http.post("/login", data={"username": user, "password": password})
            assert answer.status_code == 200, answer.text
        self._session = secrets.token_hex(6)
        self._page, self._browser = secrets.token_hex(16), browser or secrets.token_hex(16)
        self._number = 0
        config = self._http.get("/config").json()
        components = config["components"]
        self._names = {each["id"]: each["props"].get("elem_id") for each in components}
        self._values = {each["id"]: each["props"].get("value") for each in components}
        self._events = config["dependencies"]
        # As the page does when it is loaded.
        for tab in ("txt2img", "img2img"):
            self.set(**{f"{tab}_fabric_mark": "page"})

    @property
    def values(self) -> dict[str, Any]:
        """What every component shows, by element id."""
        return {name: self._values[each] for each, name in self._names.items() if name}

    def set(self, **values: object) -> None:
        """Types into components, by element id."""
        for name, value in values.items():
            self._values[self._id(name)] = value

    def press(self, button: str, **instead: object) -> None:
        """Presses a button and waits for the answer.

        Args:
            instead: what the page's script puts in the place of inputs, by position as `input_0`.
        """
        index, event = self._event(button)
        data = [self._values[each] for each in event["inputs"]]
        for name, value in instead.items():
            data[int(name.removeprefix("input_"))] = value
        told = self._ask(index, data)
        for each, value in zip(event["outputs"], told, strict=True):
            is_update = isinstance(value, dict) and value.get("__type__") == "update"
            if not is_update:
                self._values[each] = value
            elif "value" in value:
                self._values[each] = value["value"]

    def generate(self, tab: str = "txt2img", **settings: object) -> list[bytes]:
        """Presses Generate; the pixels of the pictures that the page then shows.

        Args:
            settings: of the tab, by the end of the element id, such as `seed`.
        """
        self.set(**{f"{tab}_{name}": value for name, value in settings.items()})
        self.press(f"{tab}_generate", input_0=f"task({secrets.token_hex(8)})")
        return [self.pixels(entry["name"]) for entry in self.values[f"{tab}_gallery"] or ()]

    def fabric(self, do: str, tab: str = "txt2img", **given: object) -> dict[str, Any]:
        """One press of FABRIC's, as its script sends it; what the script is told, and the lists."""
        self._number += 1
        keys = {"page": self._page, "browser": self._browser, "number": self._number}
        action = json.dumps({"do": do, **keys, **given})
        channel = "rate" if do in ("rate", "unrate") else "edit"
        self.press(f"{tab}_fabric_{channel}", input_0=action)
        reply = json.loads(self.values[f"{tab}_fabric_reply"])
        assert reply["number"] == self._number, "another press's answer"
        names = [f"{tab}_fabric_{name}" for name in LIST_NAMES]
        edits = self.values[f"{tab}_fabric_edits"]
        lists = edited([self.values[name] for name in names], edits)
        self.set(**dict(zip(names, lists, strict=True)))
        return reply | dict(zip(LIST_NAMES, map(ids_in, lists), strict=True))

    def reopened(self) -> GradioPage:
        """The next page of the same browser and login."""
        return GradioPage(str(self._http.base_url), self._login, self._browser)

    def pixels(self, path: str) -> bytes:
        """Of a picture that the page may show."""
        answer = self._http.get(f"/file={path}")
        assert answer.status_code == 200, answer.text
        with Image.open(io.BytesIO(answer.content)) as image:
            return image.convert("RGB").tobytes()

    def _id(self, name: str) -> int:
        (found,) = (each for each, known in self._names.items() if known == name)
        return found

    def _event(self, button: str) -> tuple[int, dict[str, Any]]:
        wanted = self._id(button)
        for index, event in enumerate(self._events):
            is_meant = wanted in event["targets"] and event["trigger"] == "click"
            if is_meant and event["backend_fn"]:
                return index, event
        raise LookupError(button)

    def _ask(self, index: int, data: list[Any]) -> list[Any]:
        """Takes its place in the queue and waits for its turn and for the answer."""
        address = str(self._http.base_url).replace("http", "ws", 1).rstrip("/") + "/queue/join"
        cookies = "; ".join(f"{name}={value}" for name, value in self._http.cookies.items())
        asked = {"fn_index": index, "session_hash": self._session}
        with connect(
            address,
            additional_headers={"Cookie": cookies} if cookies else {},
            open_timeout=PATIENCE_S,
            close_timeout=PATIENCE_S,
            max_size=None,
        ) as socket:
            while True:
                told = json.loads(socket.recv(PATIENCE_S))
                if told["msg"] == "send_hash":
                    socket.send(json.dumps(asked))
                elif told["msg"] == "send_data":
                    socket.send(json.dumps({**asked, "data": data, "event_data": None}))
                elif told["msg"] == "process_completed":
                    assert told["success"], told["output"]
                    return told["output"]["data"]
                assert told["msg"] != "queue_full"
