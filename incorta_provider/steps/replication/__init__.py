"""The steps that make one recovery point, in their order.

``open`` ``copy`` ``dump`` ``check`` ``prove`` ``seal`` ``apply`` ``release``: the reasons for the order stand in
``docs/recovery-point.md``.
"""
