"""The one exception type that carries a sentence for the user.

Knows nothing of the host: the host reads `status_code` and `detail` off the instance.
"""


class FabricError(Exception):
    """Something the user can put right; `str(error)` is one clear sentence for the page.

    The WebUI's API answers with `vars(error)["status_code"]` and `["detail"]`
    (host `modules/api/api.py`), so both are instance attributes on purpose.
    """

    def __init__(self, message: str, status_code: int = 422) -> None:
        super().__init__(message)
        self.detail = message
        self.status_code = status_code


class UnsupportedModelError(FabricError):
    """The loaded model has no self-attention that feedback could enter."""
