"""Virtual meters that speak real octets, and the conductor of the demo.

The town: heat (houses) > meters (registers) > telegrams > slave (a bus) > bus (TCP), laid out by plan, with
faults; on Modbus: meters > modbus_meters > modbus_device > modbus_server; `ledger` is the truth about it.
The demo: conductor (processes, clock, kills) > office (billing) > check (all books against each other). No
room knows that a demo exists.
"""
