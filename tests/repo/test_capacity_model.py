"""The capacity page's formula against values that are known."""

import gen_capacity as model
import pytest


@pytest.mark.parametrize(("workers", "load", "waits"), [(1, 0.5, 0.5), (1, 0.9, 0.9), (2, 1.0, 1 / 3), (3, 2.0, 4 / 9)])
def test_erlang_c(workers: int, load: float, waits: float):
    """One server: the share that waits is the load; two and three: worked out by hand from the definition."""
    assert model.erlang_c(workers, load) == pytest.approx(waits)


def test_mean_wait_of_one_server():
    """M/M/1: the wait is rho / (1 - rho) service times."""
    assert model.wait_s(1, 0.8, 2.0) == pytest.approx(2.0 * 0.8 / 0.2)


def test_the_page_is_what_the_model_says():
    """Nobody edited the page by hand."""
    assert model.PAGE.read_text() == model.page()
