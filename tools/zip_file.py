"""Zip files whose bytes depend on their content alone."""

import io
import zipfile

TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows


def zip_bytes(files, executable=()):
    """Bytes of a zip file.

    Args:
        files: dict from a name in the zip to bytes.
        executable: names of files that are programs.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, TIMESTAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix, on every machine, so that permissions are kept
            info.external_attr = (0o100755 if name in executable else 0o100644) << 16
            archive.writestr(info, files[name])
    return stream.getvalue()
