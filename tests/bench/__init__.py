"""Benchmarks: what feedback costs, against what the arithmetic says it must."""
