"""What the page's txt2img and img2img share: how a job is run, and how it is shown."""

from __future__ import annotations

from contextlib import closing

from modules import processing, shared
from modules.shared import opts
from modules.ui_common import plaintext_to_html


def run(p: processing.StableDiffusionProcessing) -> processing.Processed:
    """Runs the job with the scripts of its tab."""
    with closing(p):
        processed = p.scripts.run(p, *p.script_args)
        if processed is None:
            processed = processing.process_images(p)
    shared.total_tqdm.clear()
    return processed


def answer(processed: processing.Processed) -> tuple:
    """Gallery, generation info, infotext, log."""
    shown = [] if opts.do_not_show_images else processed.images
    return shown, processed.js(), *texts(processed)


def texts(processed: processing.Processed) -> tuple[str, str]:
    """Infotext and log, as HTML."""
    comments = plaintext_to_html(processed.comments, classname="comments")
    return plaintext_to_html(processed.info), comments
