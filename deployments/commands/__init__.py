"""What the `faceserve` commands do; `deployments.cli` says how they are called."""
