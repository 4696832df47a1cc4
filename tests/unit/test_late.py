from __future__ import annotations

import sys
import threading

import pytest

from incorta_provider.late import late


def test_a_module_is_imported_when_something_of_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    colorsys = late("colorsys")
    assert repr(colorsys) == "<colorsys, imported when it is used>"
    assert "colorsys" not in sys.modules
    assert colorsys.rgb_to_yiq(0, 0, 0) == (0, 0, 0)
    assert "colorsys" in sys.modules


def test_an_error_of_such_a_module_can_be_caught() -> None:
    zipfile = late("zipfile")
    with pytest.raises(zipfile.BadZipFile):
        raise zipfile.BadZipFile


def test_a_module_within_a_package_is_meant_by_its_full_name() -> None:
    assert late("xml.etree.ElementTree").fromstring("<a/>").tag == "a"


def test_what_a_module_does_not_have_is_told_as_ever() -> None:
    with pytest.raises(AttributeError, match="module 'colorsys' has no attribute 'red'"):
        _ = late("colorsys").red
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        _ = late("no_such_module").anything


def test_threads_may_use_it_for_the_first_time_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    wave, begin, found = late("wave"), threading.Barrier(8), []

    def use() -> None:
        begin.wait()
        found.append(wave.open)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [sys.modules["wave"].open] * 8
