"""A person at the meter: who is on the line, what does it say, change one thing in it. Single commands.

scan (addresses, one row each) > scan_file (a list to edit and commit); read_meter (one readout now) >
readout_view; write_meter (confirmed twice, proved by reading back) > write_orders. The poller knows none
of this.
"""
