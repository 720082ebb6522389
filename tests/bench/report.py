"""What every benchmark prints: where it ran, and lines as they come. Knows torch."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import asdict, is_dataclass
from pathlib import Path

import torch


def describe_machine(device: torch.device, dtype: torch.dtype) -> str:
    """The machine and what runs on it, in one line."""
    where = f"{_cpu_name()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    if device.type == "cuda":
        where = f"{torch.cuda.get_device_name(device)}; {where}"
    return f"{where}; {dtype}, torch {torch.__version__}, {describe_load()}"


def describe_load() -> str:
    """The time and how busy the machine is."""
    now = time.strftime("%Y-%m-%d %H:%M")
    if not hasattr(os, "getloadavg"):  # Windows
        return now
    return f"{now}, load {os.getloadavg()[0]:.1f}"


def write_json(path: Path | None, machine: str, settings: argparse.Namespace, rows: list) -> None:
    """Writes results with the machine and the command's settings, if there is a path."""
    if path is None:
        return
    content = {
        "machine": machine,
        "settings": {name: str(value) for name, value in vars(settings).items()},
        "results": [asdict(row) if is_dataclass(row) else row for row in rows],
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf8")


def _cpu_name() -> str:
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.is_file():
        for line in cpu_info.read_text(encoding="utf8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return f"{platform.processor() or platform.machine()} CPU"
