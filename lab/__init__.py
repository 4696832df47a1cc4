"""The lab: two complete sites on one machine, made of real servers, for the demo and for the tests.

It is part of the checkout, not of the wheel. The provider never imports it.
"""
