"""Rehearsals: whole nights on a small stage, killed at every effect, or in front of a gateway that misbehaves."""
