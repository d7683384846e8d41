"""The rules of HRP as plain functions of records and frames: no I/O, no clock, no environment."""
