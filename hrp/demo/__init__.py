"""Twenty nights on real prices, end to end, on this machine alone."""
