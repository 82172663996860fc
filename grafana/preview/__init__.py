"""A preview of the dashboards, drawn with Grafana's own components from the data of a demo. For developers only."""
