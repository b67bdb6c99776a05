"""The service against its own OpenAPI document: schemathesis asks what the document allows, and what it does not."""

import os
import subprocess
import time

import pytest

from tests.attack.target import Target
from tests.cluster.node import BIN, ROOT

pytestmark = pytest.mark.cluster

TOKEN_LIFE_S = 7200  # it has every scope, and is on a command line

EXAMPLES = os.environ.get("FACESERVE_ATTACK_EXAMPLES")
SEED = os.environ.get("FACESERVE_ATTACK_SEED", "11")
# A photo with a face and a cursor of this list cannot be made up, so a refusal of what the schema allows is in order.
NOT_CHECKED = "positive_data_acceptance"
# The default run asks a little of every operation, the command all that schemathesis can think of. What a link
# brings may replace what it made invalid, and it still takes the request for invalid.
RUNS = (
    [("fuzzing", NOT_CHECKED)]
    if EXAMPLES is None
    else [("coverage,fuzzing", NOT_CHECKED), ("stateful", f"{NOT_CHECKED},negative_data_rejection")]
)


@pytest.mark.parametrize(("phases", "not_checked"), RUNS)
def test_nothing_that_schemathesis_sends_breaks_the_service_or_its_document(
    target: Target, phases: str, not_checked: str
) -> None:
    token = target.signer.token(tenant=target.tenant_called("schema"), exp=int(time.time()) + TOKEN_LIFE_S)

    done = subprocess.run(
        [
            BIN / "schemathesis",
            "run",
            f"{target.url}/openapi.json",
            f"--header=Authorization: Bearer {token}",
            f"--phases={phases}",
            f"--max-examples={EXAMPLES or 2}",
            "--checks=all",
            f"--exclude-checks={not_checked}",
            f"--seed={SEED}",
            "--generation-database=none",
            "--continue-on-failure",
            "--no-shrink",
            "--warnings=off",
            "--request-timeout=60",
            "--no-color",
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.attack.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
        timeout=7200,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Tested: 0" not in done.stdout
