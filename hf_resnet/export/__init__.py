"""A model written for other programs: one file a format, and the proof that it answers alike.

To add a format, write its file with `write(material, path)`, name it in WRITERS, and say in
`engine.exported.FORMATS` where it lies; the contract tests find it on their own.
"""

from hf_resnet.export.writers import WRITERS, Made, make, publish

__all__ = ["WRITERS", "Made", "make", "publish"]
