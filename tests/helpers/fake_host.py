"""What a session needs from the WebUI, without a WebUI."""

import contextlib

import torch
from torch.nn.functional import avg_pool2d

from lib_fabric.hosts.automatic1111.rows import RowCounter
from lib_fabric.hosts.automatic1111.unet import LdmCall, LdmUnet
from lib_fabric.hosts.common.reference_pass import UnetConditioning
from lib_fabric.steering.references import PROBE_SIZE


class FakeHost:
    """steering.host.Host over a tiny U-Net; everything on it may be changed by a test."""

    def __init__(self, unet):
        self.current_unet = unet
        self.key = "model"
        self.upcast = False
        self.null_tokens = 5
        self.null_extra = {}
        self.null_concat = None
        self.encoded_px = []  # (height, width) of every picture encoded
        self.null_sizes = []  # every size that a null conditioning was asked for
        self.warnings = []
        self.shown_text = None  # in the progress bar, now
        self.shown_at_encode = []  # what it was when each picture was encoded
        self.times_freed = 0
        self.interrupt = None  # what the host raises once the user has asked for an end
        self.counter = RowCounter()
        self.seen = []  # the noised latents of every picture that went through the U-Net

    def begin_step(self, step):
        """The U-Net calls that follow have this step's rows."""
        self.counter.begin(step.rows)
        return step

    def end_step(self):
        self.counter.begin(())

    def model(self):
        return _RecordingUnet(self)

    def read_call(self, args, kwargs):
        return LdmCall.of(args, kwargs, self.counter.take)

    def latents_key(self):
        return self.key

    def states_key(self):
        return self.key

    def encode(self, pixels):
        """Average colours of every 8x8 px, and red once more, as a latent of four channels."""
        self.encoded_px.append(tuple(pixels.shape[2:]))
        self.shown_at_encode.append(self.shown_text)
        return avg_pool2d(torch.cat([pixels, pixels[:, :1]], dim=1) * 2 - 1, 8)

    def null_conditioning(self, size_latent):
        self.null_sizes.append(size_latent)
        generator = torch.Generator().manual_seed(11)
        context = torch.randn(1, self.null_tokens, 16, generator=generator)
        return UnetConditioning(context, dict(self.null_extra), self.null_concat)

    def split_context(self, context):
        return context, context

    @contextlib.contextmanager
    def progress_text(self, text):
        self.shown_text = text
        try:
            yield
        finally:
            self.shown_text = None

    def free_memory(self):
        self.times_freed += 1

    def stop_if_interrupted(self):
        if self.interrupt is not None:
            raise self.interrupt

    def warn(self, message):
        self.warnings.append(message)


class _RecordingUnet(LdmUnet):
    """Notes which pictures go through the U-Net as references."""

    def __init__(self, host):
        self._seen = host.seen
        super().__init__(
            host.current_unet, lambda context: host.split_context(context), lambda: host.upcast
        )

    def run_references(self, noised, timestep, conditioning, call):
        # A last one has itself beside it. A probe of the model is no picture.
        if tuple(noised.shape[2:]) != PROBE_SIZE:
            self._seen += {tuple(each.flatten().tolist()): each for each in noised}.values()
        super().run_references(noised, timestep, conditioning, call)
