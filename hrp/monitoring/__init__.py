"""Drift measured with Evidently."""
