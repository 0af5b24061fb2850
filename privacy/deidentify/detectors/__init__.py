"""Detectors: which distinct texts of a column look like a number, an address or a name that points at a person.

They count and they place; they never say a value, and a column without a match is not thereby anonymous.
"""

from privacy.deidentify.detectors.catalogue import DETECTORS, Confidence, Detector
from privacy.deidentify.detectors.scan import DetectorResult, Matched, detect, tail_bound

__all__ = ["DETECTORS", "Confidence", "Detector", "DetectorResult", "Matched", "detect", "tail_bound"]
