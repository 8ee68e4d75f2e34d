"""The vendors of the pull bench, by name."""

from tests.benchmarks.vendors import amocrm, antcrm, concord, udesk
from tests.benchmarks.vendors.table import Vendor

VENDORS = {each.VENDOR.name: each.VENDOR for each in (antcrm, concord, udesk, amocrm)}

__all__ = ["VENDORS", "Vendor"]
