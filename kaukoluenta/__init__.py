"""The words that every room shares: readings, quantities, identifiers, periods, payload and topics.

Values in, values out: nothing here opens a file or a socket, or asks what time it is. What every
process needs and no core may touch (settings, log, clock, databases, MQTT) is in `kaukoluenta.runtime`.
"""

__version__ = "0.1.0"
