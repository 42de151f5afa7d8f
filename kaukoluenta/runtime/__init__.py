"""What every process needs and no core may touch: settings, log, clock, databases, MQTT, commands."""
