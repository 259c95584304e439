"""Leases: one of several processes does a thing, and who has lost it cannot write."""

from __future__ import annotations

from datetime import timedelta

from core.entities import Lease
from core.errors import LeaseLostError
from graph.engine import Transaction
from graph.queries import load_query
from graph.session import GraphSession


class Leases(GraphSession):
    """Taking, keeping and letting go of leases, by this process's clock.

    Clocks that differ cost time, not truth: a write under a lease checks the lease's epoch, and
    every new holder has a greater one.
    """

    async def take_lease(self, name: str, holder: str, seconds: float) -> Lease | None:
        """Take a lease that is free or expired, or renew one's own; None while another has it.

        Args:
            name: what is leased.
            holder: who asks, unlike every other process that ever did.
            seconds: from now until it expires.
        """

        async def work(tx: Transaction) -> Lease | None:
            claim = {"id": name, "now": self.clock()}
            stored = (await tx.run(load_query("claim_lease"), claim))[0]
            now = self.clock()  # the claim may have waited for who held the row
            epoch = int(stored["epoch"])
            if stored["holder"] != holder:
                if stored["expiresAt"] > now:
                    return None
                epoch += 1
            return await _keep(tx, Lease(name, holder, epoch, now + timedelta(seconds=seconds)))

        return await self.engine.write(work)

    async def renew_lease(self, lease: Lease, seconds: float) -> Lease | None:
        """The lease with ``seconds`` from now; None when another has taken it since."""

        async def work(tx: Transaction) -> Lease | None:
            if not await _is_held(tx, lease):
                return None
            ends = self.clock() + timedelta(seconds=seconds)
            return await _keep(tx, Lease(lease.name, lease.holder, lease.epoch, ends))

        return await self.engine.write(work)

    async def release_lease(self, lease: Lease) -> None:
        """Let go of a lease, so that another can have it at once; nothing when it is lost."""

        async def work(tx: Transaction) -> None:
            if await _is_held(tx, lease):
                await _keep(tx, Lease(lease.name, lease.holder, lease.epoch, self.clock()))

        await self.engine.write(work)


async def check_lease(tx: Transaction, lease: Lease) -> None:
    """Lock the lease until the transaction ends: nobody takes it while this one writes.

    A lease that has expired but that nobody took still holds.

    Raises:
        LeaseLostError: when another has taken it.
    """
    if not await _is_held(tx, lease):
        raise LeaseLostError(f"Another process has taken the lease {lease.name!r}.")


async def _is_held(tx: Transaction, lease: Lease) -> bool:
    # Which time is written does not matter: to write it is what locks the row.
    lock = {"id": lease.name, "now": lease.expires_at}
    stored = await tx.run(load_query("lock_lease"), lock)
    return [(row["holder"], int(row["epoch"])) for row in stored] == [(lease.holder, lease.epoch)]


async def _keep(tx: Transaction, lease: Lease) -> Lease:
    parameters = {
        "id": lease.name,
        "holder": lease.holder,
        "epoch": lease.epoch,
        "expiresAt": lease.expires_at,
    }
    await tx.run(load_query("write_lease"), parameters)
    return lease
