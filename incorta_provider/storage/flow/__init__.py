"""How a copy goes on: how fast it may be, how far it is, and what is done when it does not move.

What moves bytes calls :func:`incorta_provider.storage.flow.throttle.moved` and needs to know nothing else.
"""
