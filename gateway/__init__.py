"""Field side: polls heat meters and keeps every reading on disk until the collector says it is stored.

One reading's way: links (octets) > mbus or modbus (frames, records) > lines (a readout of one meter) > poll
(in its slot) > delivery (on disk, then MQTT). `settings` is the config file, `schedule` says when and whom,
`profiles` holds the meter models, `commissioning` is for a person at the meter. Gateway and collector meet
only in MQTT payloads.
"""
