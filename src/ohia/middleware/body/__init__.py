"""The bodies of requests: JSON, forms, text and multipart, each within limits.

`body()` reads what it knows before the rest of the chain runs; `ctx.request.form()` and
`ctx.request.parts()` read when they are called. Every way in passes the same limits.
"""

from ohia.middleware.body.body import body
from ohia.middleware.body.form import Files, Form
from ohia.middleware.body.limits import FormOptions
from ohia.middleware.body.parts import Part
from ohia.middleware.body.upload import Upload

__all__ = ["Files", "Form", "FormOptions", "Part", "Upload", "body"]
