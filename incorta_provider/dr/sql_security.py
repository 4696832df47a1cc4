"""Whether a view or a routine runs with the rights of its definer, or of who uses it: ``SQL SECURITY``. Pure.

Read and written is what servers print (MariaDB and MySQL, ``SHOW CREATE``). A view has the words after its definer. A
routine has them only when it is the invoker's, on a line of its own between what it reads and its comment. Triggers and
events always run as their definer (MariaDB manual, *CREATE TRIGGER*, *CREATE EVENT*).
"""

from __future__ import annotations

import re

_NAME = r"(?:`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\")"
_DEFINER = rf"DEFINER={_NAME}(?:@{_NAME})? "
_VIEW = re.compile(rf"CREATE [^`\"]*?{_DEFINER}SQL SECURITY (DEFINER|INVOKER) VIEW ")
_ROUTINE = re.compile(rf"CREATE (?:OR REPLACE )?{_DEFINER}(?:AGGREGATE )?(?:PROCEDURE|FUNCTION) {_NAME}(?=\()")
_PART = re.compile(
    rf"{_NAME}|'(?:[^'\\]|\\.|'')*'|/\*.*?\*/|--\s[^\n]*|\#[^\n]*|[()]|.",
    re.DOTALL,
)
_BEHIND_PARAMETERS = re.compile(
    r"(?: RETURNS? [^\n]*)?\n"
    r"(?:    (?:CONTAINS SQL|NO SQL|READS SQL DATA|MODIFIES SQL DATA|(?:NOT )?DETERMINISTIC)\n)*"
)
_INVOKER = "    SQL SECURITY INVOKER\n"


def runs_as_invoker(definition: str) -> bool:
    """Return whether what a definition makes runs with the rights of who uses it, whether its definer exists or not.

    >>> runs_as_invoker("CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW `v` AS select 1 AS `1`")
    True
    >>> runs_as_invoker("CREATE DEFINER=`a`@`%` EVENT `e` ON SCHEDULE EVERY 1 DAY DO SELECT 1")
    False
    """
    if view := _VIEW.match(definition):
        return view[1] == "INVOKER"
    at = _place(definition)
    return at is not None and definition.startswith(_INVOKER, at)


def as_invoker(definition: str) -> str:
    r"""Return the definition of a view or routine that runs with the rights of who uses it; of others, the same.

    >>> as_invoker("CREATE DEFINER=`a`@`%` PROCEDURE `p`()\n    NO SQL\nBEGIN END").splitlines()
    ['CREATE DEFINER=`a`@`%` PROCEDURE `p`()', '    NO SQL', '    SQL SECURITY INVOKER', 'BEGIN END']
    """
    if view := _VIEW.match(definition):
        return definition[: view.start(1)] + "INVOKER" + definition[view.end(1) :]
    at = _place(definition)
    if at is None or definition.startswith(_INVOKER, at):
        return definition
    return definition[:at] + _INVOKER + definition[at:]


def _place(definition: str) -> int | None:
    """Return where a routine's words are to stand; None when it is not a routine, or not printed as servers do."""
    if (head := _ROUTINE.match(definition)) is None:
        return None
    depth, at = 0, head.end()
    while part := _PART.match(definition, at):
        at = part.end()
        depth += {"(": 1, ")": -1}.get(part[0], 0)
        if depth == 0:
            break
    behind = _BEHIND_PARAMETERS.match(definition, at)
    return behind.end() if behind else None
