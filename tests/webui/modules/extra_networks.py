"""`<name:arg:...>` in prompts. No network is registered here; tests may register one."""

from __future__ import annotations

import re
from collections import defaultdict

from modules import errors

extra_network_registry: dict[str, ExtraNetwork] = {}
extra_network_aliases: dict[str, ExtraNetwork] = {}
_TAG = re.compile(r"<(\w+):([^>]+)>")


class ExtraNetworkParams:
    """The arguments of one mention in a prompt."""

    def __init__(self, items: list[str] | None = None) -> None:
        self.items = items or []
        self.positional: list[str] = []
        self.named: dict[str, str] = {}
        for item in self.items:
            name, equals, value = item.partition("=")
            if equals:
                self.named[name] = value
            else:
                self.positional.append(item)


class ExtraNetwork:
    """Base class."""

    def __init__(self, name: str) -> None:
        self.name = name

    def activate(self, p: object, params_list: list[ExtraNetworkParams]) -> None:
        """Called for each batch and pass, with an empty list if the prompt does not name it."""
        raise NotImplementedError

    def deactivate(self, p: object) -> None:
        """Called at the end of a job."""
        raise NotImplementedError


def register_extra_network(extra_network: ExtraNetwork) -> None:
    """Adds a network."""
    extra_network_registry[extra_network.name] = extra_network


def activate(p: object, extra_network_data: dict) -> None:
    """Activates what the prompts name and everything else with no arguments, then the hook."""
    for name, network in extra_network_registry.items():
        try:
            network.activate(p, extra_network_data.get(name, []))
        except Exception as e:  # noqa: BLE001  (the host swallows here)
            errors.display(e, f"activating extra network {name}")
    if p.scripts is not None:
        p.scripts.after_extra_networks_activate(
            p,
            batch_number=p.iteration,
            prompts=p.prompts,
            seeds=p.seeds,
            subseeds=p.subseeds,
            extra_network_data=extra_network_data,
        )


def deactivate(p: object, extra_network_data: dict) -> None:
    """Ends all networks."""
    for name, network in extra_network_registry.items():
        try:
            network.deactivate(p)
        except Exception as e:  # noqa: BLE001  (the host swallows here)
            errors.display(e, f"deactivating extra network {name}")


def parse_prompt(prompt: str) -> tuple[str, dict[str, list[ExtraNetworkParams]]]:
    """The prompt without tags, and the tags."""
    found: dict[str, list[ExtraNetworkParams]] = defaultdict(list)

    def take(m: re.Match) -> str:
        found[m.group(1)].append(ExtraNetworkParams(items=m.group(2).split(":")))
        return ""

    return _TAG.sub(take, prompt), found


def parse_prompts(prompts: list[str]) -> tuple[list[str], dict | None]:
    """As `parse_prompt` for a batch; the tags are those of its first prompt."""
    parsed = [parse_prompt(prompt) for prompt in prompts]
    return [text for text, _ in parsed], parsed[0][1] if parsed else None
