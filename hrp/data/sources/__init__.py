"""Where daily bars come from: the set that comes with skfolio, files, and vendors.

A vendor's module needs its extra, so it is imported by whoever builds it.
"""

from hrp.data.sources.embedded import SkfolioSource
from hrp.data.sources.files import FolderSource

__all__ = ["FolderSource", "SkfolioSource"]
