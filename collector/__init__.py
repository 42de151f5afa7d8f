"""Office side: receives readings, judges them, stores them, and only then acknowledges.

One message's way, module by module: subscribe (MQTT) > ingest (payload judged, rows refused alone) > intake
(store, then books, then what may be acknowledged) > store (readings). `books` keeps what arrived: batches,
missed slots, quarantine, gateways. Files come in by `import_files`; `gaps` and `export` look back.
"""
