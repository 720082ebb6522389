"""The WebUI's entry to FABRIC: one always-on script and its callbacks.

Turns the host's events into calls of lib_fabric and knows nothing else.
"""

import contextlib
from functools import partial

# By module: the host registers every Script subclass that it finds in this namespace.
from modules import script_callbacks, scripts

# At load time: the package is found on sys.path only while this file is being executed.
from lib_fabric.errors import FabricError, doing
from lib_fabric.hosts import (
    family,
    infotexts,
    localization,
    logins,
    options,
    sampling,
    sharing,
    tasks,
    xyz_plot,
)
from lib_fabric.hosts.common import requests
from lib_fabric.hosts.common.steps import SamplingNow
from lib_fabric.hosts.page_host import WebuiPageHost
from lib_fabric.infotext import infotext_entries
from lib_fabric.library.library import Library
from lib_fabric.page.tab import FabricTab
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.session import FabricSession
from lib_fabric.steering.state_cache import StateCache

LIBRARY = Library(
    **options.folders(), max_bytes=options.max_store_bytes, has_logins=logins.has_logins
)
LATENTS = LatentCache()
STATES = StateCache()
SAMPLING_NOW = SamplingNow()
HOST = family.processing_host()


class FabricScript(scripts.Script):
    """FABRIC in one tab."""

    def __init__(self):
        self._page = None

    def title(self):
        return "FABRIC"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        tab = "img2img" if is_img2img else "txt2img"
        page = FabricTab(tab, LIBRARY, WebuiPageHost())
        components = page.build()
        # With --api the host calls ui() again in throw-away pages; the first one is the real one.
        if self._page is None:
            self._page = page
            self.infotext_fields = page.infotext_fields
            self.paste_field_names = page.paste_field_names
        return components

    def after_component(self, component, **kwargs):
        if self._page is not None:
            self._page.after_component(component, kwargs.get("elem_id"))

    def setup(self, p, *args):
        # The first that the host calls, so that whoever sends the arguments away sees them.
        if not sharing.is_shared_out(p):
            return
        try:
            with doing("reading the request"):
                request = self._read_request(p, args)
        except FabricError as error:
            sharing.refuse(p, error, partial(tasks.ended_on_error, p))
            return
        sharing.send_only(p, self, request.is_active)
        if request.is_active:
            sharing.carry(p, self.args_from, request, LIBRARY.file_of)

    def process(self, p, *args):
        # Of an earlier generation, or of the object that this one was copied from.
        sampling.release_sampling(p)
        infotexts.set_entries(p, {})
        try:
            with doing("reading the request"):
                self._prepare(p, args)
        except FabricError as error:
            sampling.refuse(p, error, partial(tasks.ended_on_error, p))

    def process_batch(self, p, *args, **kwargs):
        sampling.wrap_sampling(p)

    def process_before_every_sampling(self, p, *args, **kwargs):
        # Before 1.10.0 there is no such event.
        SAMPLING_NOW.begin_pass(p, kwargs["x"])

    def postprocess(self, p, processed, *args):
        # Loopback uses the same object again, and others copy all that lies on it.
        sampling.release_sampling(p)
        processed.comments += "".join(f"{each}\n" for each in sharing.remarks(p, args))

    def _prepare(self, p, args):
        request = self._read_request(p, args)
        # Also where nothing is rated: memory that the user wants back is given back.
        options.configure_states(STATES)
        if not request.is_active:
            return
        host = HOST(p)
        if not host.can_steer():
            return
        session = FabricSession(request, host, LATENTS, STATES)
        entries = infotext_entries(request, options.infotext_wanted())
        infotexts.set_entries(p, entries, self._has_part)
        requests.say_followed(p, request, self._has_part)
        sampling.prepare_sampling(p, partial(_steered, p, host, session))

    def _read_request(self, p, args):
        carried = sharing.carried_request(args)
        if carried is not None:
            return carried
        owner = logins.owner_of(p)
        kept, presets = LIBRARY.pictures_of(owner), partial(LIBRARY.presets.load, owner)
        if not logins.has_logins():
            # Then all that the page has saved is everybody's.
            presets = partial(LIBRARY.presets.load, "")
        defaults = self._page.start_values() if self._page else {}
        return requests.read_request(p, args, kept, presets, defaults)

    def _has_part(self, p, index):
        # A copy of the object, which others may process without us, comes with its entries.
        return self in p.scripts.alwayson_scripts and sharing.is_steered(p, index)


@contextlib.contextmanager
def _steered(p, host, session):
    with tasks.ended_on_error(p), SAMPLING_NOW.steered(host, session):
        yield


script_callbacks.on_cfg_denoiser(SAMPLING_NOW.begin_step)
getattr(script_callbacks, HOST.end_of_step)(SAMPLING_NOW.end_step)
script_callbacks.on_ui_settings(options.add_options)
script_callbacks.on_before_ui(xyz_plot.add_axes)
script_callbacks.on_before_ui(localization.yield_to_whole_translations)
