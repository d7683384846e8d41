"""Backtests and their evaluation."""
