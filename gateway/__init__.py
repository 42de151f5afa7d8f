"""Field side: polls heat meters and keeps every reading on disk until the collector says it is stored.

One reading's way, module by module: links (octets) > mbus or modbus (frames, records) > mbus_line or
modbus_line (a readout of one meter) > poll (in its slot) > outbox (on disk) > publish (MQTT). `settings` is
the config file, `schedule` says when and whom, `profiles` holds the meter models. Gateway and collector meet
only in MQTT payloads.
"""
