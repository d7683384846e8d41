"""One night that these tests are about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

SESSION = date(2022, 12, 27)
NEXT = date(2022, 12, 28)
NIGHT = datetime(2022, 12, 27, 23, 30, tzinfo=UTC)
LATER = NIGHT + timedelta(hours=1)
D = Decimal
ACCOUNT = "DU123456"
