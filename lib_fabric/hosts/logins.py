"""Who asks for pictures: a login on the page, the API, or nobody known. Knows `modules.shared`."""

from __future__ import annotations

from typing import Any

from modules import shared

from lib_fabric.library.owners import API_OWNER


def has_logins() -> bool:
    """Whether the WebUI asks for a login before it shows its page."""
    options = shared.cmd_opts
    asked_for = (getattr(options, name, None) for name in ("gradio_auth", "gradio_auth_path"))
    # An extension may have given gradio its own.
    return any(asked_for) or bool(getattr(getattr(shared, "demo", None), "auth", None))


def owner_of(p: Any) -> str:  # noqa: ANN401 (the host's processing object)
    """Whose generation this is.

    Versions that do not say, and generations that another extension starts inside one, are
    nobody's: where there are logins, they open no picture by its id.
    """
    if getattr(p, "is_api", False):
        # Whoever it is: with --gradio-auth and no --api-auth, anybody.
        return API_OWNER
    return getattr(p, "user", None) or ""
