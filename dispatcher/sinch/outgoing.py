"""One attempt of one job on its way out: an order for one recipient, with the labels that find it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatcher.sinch.order import EncodedFile, FaxOrder
from dispatcher.sinch.wire import ATTEMPT_LABEL, EPOCH_LABEL, JOB_LABEL

__all__ = ["EncodedFile", "OutgoingFax"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingFax:
    """One attempt of one job. Empty text and None mean: leave it to the service's setting."""

    #: E.164 with ``+``
    to: str
    #: ``<batch>.<row>``
    job: str
    attempt: int
    #: of the account, when the attempt began; 0: none
    write_epoch: int = 0
    content_urls: tuple[str, ...] = ()
    files: tuple[EncodedFile, ...] = ()
    sender: str = ""
    service_id: str = ""
    header_text: str = ""
    header_page_numbers: bool | None = None
    header_time_zone: str = ""
    resolution: str = ""
    image_conversion_method: str = ""
    cover_page_id: str = ""
    cover_page_data: Mapping[str, str] = field(default_factory=dict)
    callback_url: str = ""

    def order(self) -> FaxOrder:
        """The request to make. No repetition by the provider: one POST is one call."""
        return FaxOrder(
            to=(self.to,),
            content_urls=self.content_urls,
            files=self.files,
            sender=self.sender,
            service_id=self.service_id,
            header_text=self.header_text,
            header_page_numbers=self.header_page_numbers,
            header_time_zone=self.header_time_zone,
            resolution=self.resolution,
            image_conversion_method=self.image_conversion_method,
            cover_page_id=self.cover_page_id,
            cover_page_data=self.cover_page_data,
            max_retries=0,
            labels=self._labels(),
            callback_url=self.callback_url,
        )

    def _labels(self) -> Mapping[str, str]:
        epoch = {EPOCH_LABEL: str(self.write_epoch)} if self.write_epoch else {}
        return {JOB_LABEL: self.job, ATTEMPT_LABEL: str(self.attempt), **epoch}
