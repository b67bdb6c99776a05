"""The PostgreSQL that runs beside the service on one machine."""
