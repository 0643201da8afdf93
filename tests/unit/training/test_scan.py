"""The gated recurrence over whole rows."""

import pytest
import torch

from training.scan import gated_scan, gates, in_chunks, scan_back, step_by_step

LENGTHS = [1, 2, 7, 16, 17, 200]


def terms(length, *, seed=0):
    torch.manual_seed(seed)
    return torch.rand(length, 3, 5, dtype=torch.double), torch.randn(
        length, 3, 5, dtype=torch.double
    )


def naive(a_TBH, b_TBH):
    h_BH, all_h = torch.zeros_like(b_TBH[0]), []
    for a_BH, b_BH in zip(a_TBH, b_TBH, strict=True):
        h_BH = a_BH * h_BH + b_BH
        all_h.append(h_BH)
    return torch.stack(all_h)


def gated_inputs(*, length=9, width=4, seed=0):
    torch.manual_seed(seed)
    value, keep = torch.randn(2, length, 2, width, dtype=torch.double)
    rate = torch.rand(width, dtype=torch.double) + 0.01
    fresh = torch.zeros(length, 2, 1, dtype=torch.bool)
    fresh[4, 0] = fresh[0, 1] = fresh[6, 1] = True
    return value, keep, rate, fresh


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("way", [step_by_step, in_chunks])
def test_each_way_to_scan_equals_a_plain_loop(way, length):
    a_TBH, b_TBH = terms(length)
    expected = naive(a_TBH, b_TBH)

    assert torch.allclose(way(a_TBH, b_TBH.clone()), expected, atol=1e-12)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_scan_backwards_is_a_scan_of_what_comes_later(length):
    a_TBH, g_TBH = terms(length)
    later_TBH = torch.cat([torch.zeros_like(a_TBH[:1]), a_TBH[1:].flip(0)])
    expected = naive(later_TBH, g_TBH.flip(0)).flip(0)

    assert torch.allclose(scan_back(a_TBH, g_TBH), expected, atol=1e-12)


def test_chunks_leave_what_they_read_as_it_was():
    a_TBH, b_TBH = terms(16)
    a_before, b_before = a_TBH.clone(), b_TBH.clone()

    in_chunks(a_TBH, b_TBH)

    assert torch.equal(a_TBH, a_before)
    assert torch.equal(b_TBH, b_before)


def test_the_gated_recurrence_equals_its_formula_step_by_step():
    value, keep, rate, fresh = gated_inputs()
    a, root = gates(keep, rate)

    h = gated_scan(value, keep, rate, fresh)

    assert torch.allclose(h, naive(a * ~fresh, root * value), atol=1e-12)
    assert torch.allclose(a**2 + root**2, torch.ones_like(a), atol=1e-7)


def test_nothing_before_a_fresh_step_reaches_what_follows_it():
    value, keep, rate, fresh = gated_inputs()
    other = value.clone()
    other[:4, 0] += 100.0

    h, changed = gated_scan(value, keep, rate, fresh), gated_scan(other, keep, rate, fresh)

    assert not torch.allclose(h[:4, 0], changed[:4, 0])
    assert torch.equal(h[4:, 0], changed[4:, 0])


def test_its_gradient_is_the_one_that_differences_give():
    value, keep, rate, fresh = gated_inputs()
    inputs = [one.requires_grad_() for one in (value, keep, rate)]

    assert torch.autograd.gradcheck(lambda v, k, r: gated_scan(v, k, r, fresh), inputs)
