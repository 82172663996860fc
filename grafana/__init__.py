"""The dashboards as code, and the rules for Prometheus. Each dashboard has a file of its own here."""
