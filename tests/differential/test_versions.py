"""The packages are those that `package.json` names."""

from .driver import Driver, pinned


def test_koa_and_its_packages_are_the_pinned_ones(driver: Driver) -> None:
    assert driver.ask("versions", names=list(pinned())) == pinned()
