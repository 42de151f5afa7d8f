"""The only place where customers and readings meet: period totals, with their evidence, and extracts.

One row's way, module by module: stretches (who, where, when) > boundaries (registers at both ends) >
period_use (legs) > rounding (kWh) > extract (rows and refusals) > runs (kept, numbered by their inputs) >
export (the file and its control record).
"""
