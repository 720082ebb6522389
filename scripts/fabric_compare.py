"""The WebUI's entry to a comparison: the same picture with FABRIC and without.

A script of its own, so that FABRIC's own arguments are settings and pictures alone. Turns the
host's events into calls of lib_fabric and knows nothing else.
"""

from pathlib import Path

# By module: the host registers every Script subclass that it finds in this namespace.
from modules import scripts

from lib_fabric.hosts.common import comparison
from lib_fabric.hosts.page_host import WebuiPageHost
from lib_fabric.page.relay import hidden_field

FABRIC = Path(__file__).with_name("fabric.py")


class CompareScript(scripts.Script):
    """Its one argument is empty, or asks for a comparison."""

    create_group = False

    def title(self):
        return "FABRIC compare"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        tab = "img2img" if is_img2img else "txt2img"
        return [hidden_field(tab, "comparison", WebuiPageHost())]

    def before_process(self, p, wanted="", *args):
        comparison.prepare(p, wanted)

    def postprocess(self, p, processed, wanted="", *args):
        own = [each for each in p.scripts.alwayson_scripts if Path(each.filename) == FABRIC]
        places = [slice(each.args_from, each.args_from + 1) for each in (self, *own)]
        comparison.add_plain(p, processed, places)
