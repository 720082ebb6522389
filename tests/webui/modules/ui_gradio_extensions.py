"""Puts scripts and styles, the host's and those of extensions, into Gradio's page."""

from __future__ import annotations

import re
from pathlib import Path

import gradio as gr
from modules import localization, scripts, shared, util
from modules.paths import script_path

# from a CDN, for pages inside frames: the page must not need a network
_CDN_SCRIPT = re.compile(rb"<script[^>]*cdnjs[^>]*></script>")


def webpath(fn: str) -> str:
    """The address of a file, renewed when it changes."""
    return f"file={util.truncate_path(fn)}?{Path(fn).stat().st_mtime}"


def javascript_html() -> str:
    """Script tags: `script.js`, then `javascript/*.js` and `*.mjs`."""
    files = [(str(Path(script_path, "script.js")), "text/javascript")]
    files += [(s.path, "text/javascript") for s in scripts.list_scripts("javascript", ".js")]
    files += [(s.path, "module") for s in scripts.list_scripts("javascript", ".mjs")]
    texts = localization.localization_js(shared.opts.localization)
    head = f'<script type="text/javascript">{texts}</script>\n'
    for path, kind in files:
        head += f'<script type="{kind}" src="{webpath(path)}"></script>\n'
    if shared.cmd_opts.theme:
        theme = shared.cmd_opts.theme
        head += f'<script type="text/javascript">set_theme("{theme}");</script>\n'
    return head


def css_html() -> str:
    """Style links."""
    link = '<link rel="stylesheet" property="stylesheet" href="{}">'
    return "".join(link.format(webpath(f)) for f in scripts.list_files_with_name("style.css"))


def reload_javascript() -> None:
    """Makes Gradio's page carry them (start and Reload UI)."""
    js, css = javascript_html().encode(), css_html().encode()

    def template_response(*args: object, **kwargs: object) -> object:
        res = _original(*args, **kwargs)
        body = _CDN_SCRIPT.sub(b"", res.body)
        body = body.replace(b"</head>", js + b"</head>").replace(b"</body>", css + b"</body>")
        res.body = body
        res.init_headers()
        return res

    gr.routes.templates.TemplateResponse = template_response


_original = gr.routes.templates.TemplateResponse
