"""What another extension does to a U-Net behind our back, at some noise levels only."""


class UnetPatch:
    """Scales what an output block makes, from or until a timestep, as FreeU or Deep Shrink do."""

    def __init__(self, unet, block="output_blocks"):
        self.factor, self.is_active = 1.0, lambda timestep: True
        self._timestep = None
        original = type(unet).forward

        def forward(module, x, timesteps=None, *args, **kwargs):
            self._timestep = float(timesteps[0])
            return original(module, x, timesteps, *args, **kwargs)

        unet.__class__ = type("Patched", (type(unet),), {"forward": forward})
        getattr(unet, block)[0].register_forward_hook(self._change)

    def _change(self, _block, _args, out):
        return out * self.factor if self.is_active(self._timestep) else out
