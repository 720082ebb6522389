"""FABRIC to the API by a title that no other extension has.

sd-webui-fabric is called FABRIC too, and the host takes the first script of a title, by the names
of their folders. Knows the host's scripts; not what FABRIC does.
"""

from pathlib import Path

# By module: the host registers every Script subclass that it finds in this namespace.
from modules import scripts

FABRIC = Path(__file__).with_name("fabric.py")


class SecondTitleScript(scripts.Script):
    """Its arguments are the very places of FABRIC's own, so that there is nothing to hand on.

    It has no hooks, no components and no arguments of its own: it costs nothing.
    """

    name = "fabric for the webui"
    create_group = False
    # The host sets these where it builds the page, and has nothing of ours to say there.
    args_from = property(lambda self: self._named.args_from, lambda *_: None)
    args_to = property(lambda self: self._named.args_to, lambda *_: None)
    api_info = property(lambda self: self._description(), lambda *_: None)

    def title(self):
        return "FABRIC for the WebUI"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    @property
    def _named(self):
        """The script that has the arguments."""
        runner = scripts.scripts_img2img if self.is_img2img else scripts.scripts_txt2img
        return next(each for each in runner.scripts if Path(each.filename) == FABRIC)

    def _description(self):
        described = self._named.api_info
        return described and described.copy(update={"name": self.name})
