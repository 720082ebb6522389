"""Weighted self-attention, and the hooks that bring it into a U-Net. Knows torch, not the host."""
