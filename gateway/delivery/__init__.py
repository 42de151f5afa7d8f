"""From a slot's outcome to the collector's word that it is stored.

keep (lines share a commit) > outbox (batches on disk, as they travel) > window (which to send now, numbers
only) > publish (MQTT).
"""
