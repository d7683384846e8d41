"""The broker edge: the one owner of ib_insync."""
