"""Modbus, as a master of heat meters: function 3 and 4, on TCP, RTU, and RTU over TCP.

Octets and registers in, events and exact numbers out; nothing of this project's other packages. Read it in
this order: frames (what an answer is), words (registers as numbers), plan (which requests), probe (what a
site must show), client (the only module that knows a port, and the only one that imports pymodbus).
"""
