"""HRP: from a trained model to a paper portfolio, one careful batch a night."""

from hrp.libraries import prepare

__version__ = "0.1.0"

prepare()  # here, because it must come before the first import of a numerical library
