"""A digest of the native sources, taken when they are compiled and again when they are loaded."""

import hashlib
import os


def source_hash() -> str:
    """The hash of every .pyx, .pxi and .pxd file in native/; "" where there are none."""
    folder = os.path.join(os.path.dirname(__file__), "native")
    found = os.listdir(folder) if os.path.isdir(folder) else ()
    names = sorted(name for name in found if name.endswith((".pyx", ".pxi", ".pxd")))
    digest = hashlib.sha256()
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            digest.update(name.encode() + b"\0" + file.read())
    return digest.hexdigest()[:16] if names else ""
