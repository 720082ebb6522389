"""A host on the second device, and generations there."""

from dataclasses import dataclass, field

import torch

from lib_fabric.hosts.automatic1111.unet import LdmUnet
from lib_fabric.hosts.common.reference_pass import UnetConditioning
from tests.helpers.denoising import begin_step, end_step, make_session, make_step
from tests.helpers.fake_host import FakeHost
from tests.helpers.second_device import DEVICE, NAME
from tests.helpers.tiny_unet import make_inputs

SECOND = torch.device(NAME, 0)


class DeviceHost(FakeHost):
    """steering.host.Host as the WebUI is with a GPU: what it makes lies there."""

    def __init__(self, unet):
        super().__init__(unet.to(SECOND))

    def model(self):
        return LdmUnet(
            self.current_unet, lambda context: self.split_context(context), lambda: self.upcast
        )

    def encode(self, pixels):
        return super().encode(pixels.to(SECOND))

    def null_conditioning(self, size_latent):
        made = super().null_conditioning(size_latent)
        extra = {name: value.to(SECOND) for name, value in made.extra.items()}
        concat = None if made.concat is None else made.concat.to(SECOND)
        return UnetConditioning(made.context.to(SECOND), extra, concat)


@dataclass
class Generation:
    """What came of a generation.

    Attributes:
        outputs: of each step, on the cpu.
        read_backs, transfers: of each step, by what of ours did it.
        peak_bytes: of each step, above what was there before the generation.
    """

    outputs: list = field(default_factory=list)
    read_backs: list = field(default_factory=list)
    transfers: list = field(default_factory=list)
    peak_bytes: list = field(default_factory=list)


def generate(
    host, request, steps, states=None, latents=None, rows_per_call=None, before_step=lambda _: None
):
    """A generation of two pictures on the second device, step by step.

    before_step: called with the number of the step that comes.
    """
    made = Generation()
    session = make_session(request, host, latents, states)
    inputs = {step: place(step) for step in steps}
    before = DEVICE.live_bytes
    with session.installed():
        for number, step in enumerate(steps):
            before_step(number)
            DEVICE.start_counting()
            x, timesteps, context = inputs[step]
            begin_step(session, step)
            parts = torch.arange(len(x)).split(rows_per_call or len(x))
            outs = [
                host.current_unet(x[i], timesteps[i], context=context[i])
                for i in (slice(int(each[0]), int(each[-1]) + 1) for each in parts)
            ]
            end_step(session)
            made.read_backs.append(ours(DEVICE.read_backs))
            made.transfers.append(ours(DEVICE.transfers))
            made.peak_bytes.append(DEVICE.peak_bytes - before)
            made.outputs.append(torch.cat([each.cpu() for each in outs]))
            del outs
    return made


def place(step):
    """The inputs of a step on the device, seeded by its noise level: x, timesteps, context."""
    size = step.sampling.size_latent
    inputs = make_inputs(len(step.rows), seed=int(1000 * step.alpha), size_latent=size)
    return tuple(each.to(SECOND) for each in inputs)


def ours(counted):
    """What lib_fabric did, without what tests and the model did."""
    return {name: count for name, count in counted.items() if " at lib_fabric/" in name and count}


def make_steps(count=3, **more):
    """Steps of one pass, each at a noise level of its own."""
    return [
        make_step(alpha=0.2 + 0.1 * number, progress=number / 10, number=number, **more)
        for number in range(count)
    ]
