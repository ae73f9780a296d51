"""The system's clock."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """Wall-clock and monotonic time."""

    def now(self) -> datetime:
        """UTC, without the microseconds: the API server's times have none either."""
        return datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 -- the one place

    def wall_seconds(self) -> float:
        """Seconds since 1970, with their fractions."""
        return time.time()  # noqa: TID251 -- the one place

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
