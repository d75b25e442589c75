"""A bucket for the tests: of a small server that speaks S3, or of one's own that TEST_BUCKET_URL and its like name."""

import os
from contextlib import closing
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from backend.datasets.bucket import SETTINGS

KEY = {
    "region": os.environ.get("TEST_BUCKET_REGION", "eu-test-1"),
    "key": os.environ.get("TEST_BUCKET_KEY", "a-key-of-the-tests"),
    "secret": os.environ.get("TEST_BUCKET_SECRET", "a-secret-of-the-tests"),
}


class Server:
    """A server with buckets."""

    def __init__(self) -> None:
        self.own = os.environ.get("TEST_BUCKET_URL", "")
        if self.own:
            self.address = self.own
            return
        self.process = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        self.process.start()
        host, port = self.process.get_host_and_port()
        self.address = f"http://{host}:{port}"

    def bucket(self, name: str) -> dict[str, Any]:
        """Make an empty bucket, and give what settings need to know of it."""
        with closing(self._client()) as client:
            client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": KEY["region"]})
        return {"endpoint": self.address, "name": name, **KEY}

    def remove_parts(self, name: str) -> None:
        """Do what a rule of a bucket does to the parts of uploads that nobody finishes."""
        with closing(self._client()) as client:
            for begun in client.list_multipart_uploads(Bucket=name)["Uploads"]:
                client.abort_multipart_upload(Bucket=name, Key=begun["Key"], UploadId=begun["UploadId"])

    def _client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.address,
            region_name=KEY["region"],
            aws_access_key_id=KEY["key"],
            aws_secret_access_key=KEY["secret"],
            config=SETTINGS,
        )

    def stop(self) -> None:
        """End it."""
        if not self.own:
            self.process.stop()
