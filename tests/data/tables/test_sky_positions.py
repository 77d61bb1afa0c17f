"""Positions as catalogues write them, against astropy's own reading of angles."""

import numpy as np
import pyarrow as pa
import pytest
from astropy.coordinates import Angle

from lensnet.data.tables.sky_positions import declinations, right_ascensions

RA = ["00:00:00.5", "23 59 59.99", "10h08m22.84s", "1:2:3", "5h30m", "12 30.5"]
DEC = ["-00:00:30.25", "+89 59 59", "-45d30m15.5s", "-1:2:3", "0°30'15\"", "-0:30:59.99"]


def test_sexagesimal_columns_are_what_astropy_reads():
    ra = [Angle(text, "hourangle").deg for text in RA]
    dec = [Angle(text, "deg").deg for text in DEC]
    np.testing.assert_allclose(right_ascensions(pa.array(RA)), ra, rtol=1e-14)
    np.testing.assert_allclose(declinations(pa.array(DEC)), dec, rtol=1e-14)


@pytest.mark.parametrize(("unit", "value"), [("rad", np.pi / 2), ("hourangle", 6.0), ("h", 6.0)])
def test_units_of_the_column_are_kept_to(unit, value):
    assert right_ascensions(pa.array([value]), unit) == pytest.approx([90])


def test_what_is_no_position_is_none():
    nan = np.nan
    columns = pa.array(["400", "-90", "360", "12:61:00", "10,5", "x", None, "1e1"])
    np.testing.assert_array_equal(
        right_ascensions(columns), [nan, 270, 0, nan, nan, nan, nan, 10.0]
    )
    np.testing.assert_array_equal(declinations(pa.array([90.0001, -90, None])), [nan, -90, nan])
    np.testing.assert_array_equal(declinations(pa.array([[1.0], [2.0]])), [nan, nan])
