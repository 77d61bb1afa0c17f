"""Where windows lie, against the convolution's own arithmetic."""

import pytest

from lensnet.models.kit.windows import Window, convolution_window, filter_size, pooling_window
from lensnet.symmetry import Symmetry

PLAIN, C4, C8 = Symmetry.parse("none"), Symmetry.parse("c4"), Symmetry.parse("c8")


def window_of(symmetry, size, kernel_size, *, strides=1, padding="same", may_prefilter=False):
    return convolution_window(
        symmetry,
        (size, size),
        kernel_size,
        strides=strides,
        padding=padding,
        may_prefilter=may_prefilter,
        name="s",
    )


def leaves_out(window, size):
    """The pixels of a map that the last window does not reach."""
    size += 2 * (window.surround_pixels[0] + window.pad_pixels[0])
    size = (size - window.align_size) // window.align_strides + 1
    if window.padding == "same":
        size += 2 * ((window.kernel_size - 1) // 2)
    return (size - window.extent[0]) % window.strides


@pytest.mark.parametrize("size", [16, 17, 19])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "padding"),
    [(1, 2, "same"), (3, 2, "valid"), (3, 2, "tensorflow"), (4, 4, "valid"), (7, 4, "same")],
)
def test_a_symmetric_window_leaves_out_no_pixel(kernel_size, strides, padding, size):
    for may_prefilter in (True, False):
        window = window_of(
            C4, size, kernel_size, strides=strides, padding=padding, may_prefilter=may_prefilter
        )
        assert leaves_out(window, size) == 0


def test_what_takes_the_means():
    small = window_of(C4, 16, 3, strides=2, may_prefilter=True)
    assert small == Window(3, 2, "same", prefilter_size=2) and small.extent == (4, 4)
    assert window_of(C4, 16, 3, strides=2) == Window(3, 2, "same", align_size=2)
    assert window_of(C4, 17, 3, strides=2) == Window(3, 2, "same"), "where it fits, nothing"


def test_a_pointwise_window_averages_only_what_it_keeps():
    assert window_of(C4, 16, 1, strides=2) == Window(1, 1, "same", align_size=2, align_strides=2)


def test_plain_windows_are_padded_as_pytorch_or_tensorflow_does():
    assert window_of(PLAIN, 16, 7, strides=2) == Window(7, 2, "valid", pad_pixels=(3, 3))
    assert window_of(PLAIN, 16, 3, strides=2, padding="tensorflow") == Window(3, 2, "same")
    assert window_of(PLAIN, 16, 7) == Window(7, 1, "same")


@pytest.mark.parametrize("symmetry", [PLAIN, C4])
def test_a_small_map_is_surrounded_alike_on_both_sides(symmetry):
    window = window_of(symmetry, 4, 7, padding="valid")
    assert window.surround_pixels == (2, 2) and window.output_size(8, 8) == (2, 2)


def test_larger_filters_of_circular_harmonics_keep_the_maps_size():
    window, plain = (window_of(symmetry, 17, 3, padding="valid") for symmetry in (C8, PLAIN))
    assert window == Window(5, 1, "valid", pad_pixels=(1, 1))
    assert window.output_size(19, 19) == plain.output_size(17, 17)


@pytest.mark.parametrize(
    ("symmetry", "square", "rectangle"),
    [
        ("none", 3, (1, 7)),
        ("d4", 3, (1, 7)),
        ("c8", 5, 5),
        ("rot4", 3, (1, 7)),
        ("rot8", 3, 5),
        ("rot4_inputs", 3, 5),
    ],
)
def test_filters_that_stand_for_others(symmetry, square, rectangle):
    parsed = Symmetry.parse(symmetry)
    assert filter_size(parsed, 3) == square
    assert filter_size(parsed, (1, 7)) == rectangle
    assert [filter_size(parsed, side) for side in (1, 2, 7)] == [1, 2, 7]


def test_pooling_windows_grow_by_the_stride_remainder():
    options = {"strides": 2, "padding": "same", "name": "s"}
    assert pooling_window(C4, (16, 16), 3, **options) == Window(4, 2, "same")
    assert pooling_window(C4, (17, 17), 3, **options) == Window(3, 2, "same")
    assert pooling_window(PLAIN, (16, 16), 3, **options) == Window(3, 2, "same")


@pytest.mark.parametrize("size", [(None, None), (16, 18)])
def test_a_symmetric_stride_needs_a_known_square_size(size):
    options = {"strides": 2, "padding": "same", "name": "s"}
    with pytest.raises(ValueError, match='"s": .* square images of a size that is known'):
        convolution_window(C4, size, 3, may_prefilter=False, **options)
    with pytest.raises(ValueError, match='"s": .* square images of a size that is known'):
        pooling_window(C4, size, 3, **options)


@pytest.mark.parametrize("options", [{"strides": 2}, {"padding": "valid"}])
def test_rectangles_have_no_stride_and_are_padded(options):
    with pytest.raises(ValueError, match=r'"s": c4 has no convolution of \(1, 7\) taps'):
        window_of(C4, 16, (1, 7), **options)


@pytest.mark.parametrize("symmetry", [PLAIN, C4, C8])
@pytest.mark.parametrize("size", [5, 64, 101, 102])
def test_tiles_leave_out_no_pixel(symmetry, size):
    """As many windows as it takes to see every pixel, as much beyond the map on either side."""
    window = window_of(symmetry, size, 8, strides=8, padding="tiles", may_prefilter=True)
    tiles = -(-size // 8)
    (pad, _), missing = window.pad_pixels, tiles * 8 - size
    assert window.output_size(size + 2 * pad, size + 2 * pad) == (tiles, tiles)
    assert pad == (missing + 1) // 2
    if symmetry.kind != "none":
        assert leaves_out(window, size) == 0
        assert window.prefilter_size == 1 + missing % 2
