"""Which embedder replica gets the next image: the one that has the fewest of ours."""

import random
from collections import Counter

from ray.serve.request_router import FIFOMixin, PendingRequest, ReplicaID, RequestRouter, RunningReplica


class LeastBusyRouter(FIFOMixin, RequestRouter):
    """Counts the requests that it has under way at each replica, and sends the next to where they are fewest.

    Serve's own router compares two replicas by queue lengths that it remembers for 10 s. These drift up where an answer
    overtakes the news of its acceptance, and then a replica idles while another one queues: with four clients on two
    replicas it gave 11 answers a second where 16 were to be had.
    """

    def initialize_state(self, **kwargs: object) -> None:
        """Begin with nothing under way."""
        self._under_way: Counter[ReplicaID] = Counter()

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """Return the replicas one by one, the least busy first."""
        known = {replica.replica_id for replica in candidate_replicas}
        for gone in self._under_way.keys() - known:
            del self._under_way[gone]
        order = sorted(candidate_replicas, key=lambda replica: (self._under_way[replica.replica_id], random.random()))
        return [[replica] for replica in order]

    def on_send_request(self, replica_id: ReplicaID) -> None:
        """Count a request that leaves."""
        super().on_send_request(replica_id)
        self._under_way[replica_id] += 1

    def on_request_completed(self, replica_id: ReplicaID, internal_request_id: str) -> None:
        """Count a request that is over: answered, failed, refused by the replica or cancelled."""
        super().on_request_completed(replica_id, internal_request_id)
        # Serve tells this of requests that could not be sent, too
        self._under_way[replica_id] = max(0, self._under_way[replica_id] - 1)
