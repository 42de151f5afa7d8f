"""Pages for plant operators, read-only. They know meters and never a customer.

source (what the store says) > network, timeline, history (figures, pure) > overview_page, meter_page, api
(what is shown) > app, serve (HTTP). Texts are in texts/, one file a language; charts are in panels/, one file
each.
"""
