"""What people see in a browser: server-rendered pages over the ports that MLflow's API uses as well."""
