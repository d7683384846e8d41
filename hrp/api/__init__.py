"""One door to the stores."""
