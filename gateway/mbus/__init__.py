"""M-Bus, wired: EN 13757-2 frames, EN 13757-3 telegrams, and the master's dialogues.

Octets and values in, values out: no port, no clock, no log, and nothing of this project's other packages.
Read it in this order: link (frames), records (data records), telegram (headers), dialogue (the master).
"""
