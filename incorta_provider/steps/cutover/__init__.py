"""The steps of a cutover, in the order of :class:`~incorta_provider.dr.plan.StepName`, and what stands around them.

``request`` makes and freezes the plan, ``approve`` seals a second person's answer; then one file a step; ``report``
tells what happened.
"""
