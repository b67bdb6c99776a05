"""The service itself: three Ray Serve deployments, the HTTP API and the command line."""
