"""A very small Stable Diffusion v1-format model of coloured shapes, for tests and the demo."""
