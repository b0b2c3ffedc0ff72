"""Pictures of a notebook, as files from which typst reads them."""

import base64
import binascii
import re
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

import typst


class PictureError(ValueError):
    """A picture cannot be shown; the message says why."""


class Pictures:
    """A folder into which pictures are put for typst.

    source: the folder where the paths of pictures in a text start.
    """

    def __init__(self, folder, source="."):
        self.folder = Path(folder)
        self.source = Path(source)
        self.count = 0

    def store(self, address, attachments=MappingProxyType({})):
        """Store the picture that Markdown or HTML refers to; returns the name of its file.

        Args:
            address: attachment:NAME, a data: address, or a path.
            attachments: of the cell, a dict from a name to a dict from a MIME type to the content.

        Raises PictureError if it is not there or cannot be shown.
        """
        return self.add(self.read(address, attachments))

    def add(self, content):
        """Store a picture, bytes; returns the name of its file.

        Raises PictureError if it is damaged or of a kind that typst does not know.
        """
        self.count += 1
        kind = "svg" if content.lstrip()[:1] == b"<" else "picture"
        name = f"picture{self.count}.{kind}"
        (self.folder / name).write_bytes(content)
        try:
            typst.compile(f'#image("{name}")'.encode(), root=self.folder)
        except (typst.TypstError, RuntimeError) as error:
            raise PictureError("a damaged picture, or one of an unknown kind") from error
        return name

    def read(self, address, attachments):
        scheme, _, rest = address.partition(":")
        if scheme == "attachment":
            versions = attachments.get(unquote(rest))
            if not isinstance(versions, dict) or not versions:
                raise PictureError(f"the picture {address}, which is not attached to the cell")
            content = "".join(next(iter(versions.values())))
            return content.encode() if "<svg" in content else from_base64(content)
        if scheme == "data":
            kind, _, content = rest.partition(",")
            return from_base64(content) if kind.endswith(";base64") else unquote(content).encode()
        if re.match(r"[a-z]+://", address):
            raise PictureError(f"the picture {address}; only those in files are put into the PDF")
        try:
            return (self.source / unquote(address)).read_bytes()
        except (OSError, ValueError) as error:
            raise PictureError(f"the picture {address}, which is not there") from error


def from_base64(text):
    """Bytes of a picture in a notebook. Raises PictureError if the text is not base64."""
    try:
        return base64.b64decode("".join(text))
    except (binascii.Error, ValueError, TypeError) as error:
        raise PictureError("a damaged picture") from error
