"""A Kubernetes API server of the tests' own: etcd is Debian's, the server and `kubectl` are built from Go modules.

It has neither controllers nor nodes. What is applied is checked and kept, and no pod ever runs.
"""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from operations_tools import ToolError, go_module, go_program, go_tool, run

# What our components use of operators, as these publish it. KServe's are in no Go module that can be had.
DEFINITIONS = {
    "sigs.k8s.io/gateway-api@v1.6.3": "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    "github.com/external-secrets/external-secrets@v1.3.2": "config/crds/bases/external-secrets.io_externalsecrets.yaml",
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": "example/prometheus-operator-crd",
}
# The API server wants to know who asks; a test is nobody else's.
TOKEN = "a-test"
START_SECONDS = 300
STOP_SECONDS = 600


@dataclass(frozen=True)
class Cluster:
    """A running API server: `bin` holds the `kubectl` that speaks with it."""

    bin: Path

    def kubectl(self, *arguments: str | Path, given: object = None) -> "subprocess.CompletedProcess[str]":
        """Run `kubectl`, with an object as its standard input if one is given."""
        return subprocess.run(
            [self.bin / "kubectl", *arguments],
            input=None if given is None else json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
            timeout=STOP_SECONDS,
        )

    def objects(self, namespace: str, kinds: str) -> list[dict[str, Any]]:
        """Give all objects of these kinds, as the server keeps them."""
        got = self.kubectl("--namespace", namespace, "get", kinds, "--output=json")
        assert got.returncode == 0, got.stderr
        items: list[dict[str, Any]] = json.loads(got.stdout)["items"]
        return items


@contextmanager
def running() -> Iterator[Cluster]:
    """Start an API server, and see that nothing of it is left."""
    if not shutil.which("etcd"):
        raise ToolError("etcd is not installed: apt-get install etcd-server")
    with TemporaryDirectory(prefix="kubernetes-") as folder, ExitStack() as processes:
        there = Path(folder)
        store, peers, port = (_free_port() for _ in range(3))
        _write(there, port)
        etcd = [
            "etcd",
            f"--data-dir={there}/etcd",
            f"--listen-client-urls=http://127.0.0.1:{store}",
            f"--advertise-client-urls=http://127.0.0.1:{store}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}",
            "--unsafe-no-fsync",
        ]
        server = [
            str(go_program("kubernetes_programs")),
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{store}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={there}/certificates",
            f"--token-auth-file={there}/tokens",
            "--authorization-mode=AlwaysAllow",
            # The account that each pod would get is made by a controller.
            "--disable-admission-plugins=ServiceAccount",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={there}/key",
            f"--service-account-signing-key-file={there}/key",
        ]
        processes.enter_context(_process(etcd, there / "etcd.log"))
        api = processes.enter_context(_process(server, there / "server.log"))
        cluster = Cluster(there / "bin")
        _await(cluster, api, there / "server.log")
        _define(cluster)
        yield cluster


def _write(there: Path, port: int) -> None:
    """Write what the server and `kubectl` read."""
    subprocess.run(["openssl", "genrsa", "-out", there / "key", "2048"], check=True, capture_output=True)
    (there / "tokens").write_text(f"{TOKEN},test,1,system:masters\n", encoding="utf-8")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "test", "cluster": {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}}
        ],
        "users": [{"name": "test", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    (there / "config").write_text(json.dumps(config), encoding="utf-8")
    (there / "bin").mkdir()
    shim = there / "bin" / "kubectl"
    program = go_program("kubernetes_programs")
    lines = ["#!/bin/sh", f'exec env KUBECONFIG="{there}/config" HOME="{there}" "{program}" kubectl "$@"']
    shim.write_text("\n".join([*lines, ""]), encoding="utf-8")
    shim.chmod(0o755)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait()


def _await(cluster: Cluster, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if cluster.kubectl("get", "--raw", "/readyz").stdout == "ok":
            return
        time.sleep(0.5)
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
    raise ToolError(f"kube-apiserver does not start: {' '.join(last)[-2000:]}")


def _define(cluster: Cluster) -> None:
    """Let the server know what the operators' objects look like."""
    for module, path in DEFINITIONS.items():
        # The definitions are too long for the annotation of a client-side apply.
        made = cluster.kubectl("apply", "--server-side", "--filename", go_module(module) / path)
        assert made.returncode == 0, made.stderr
    known = cluster.kubectl("wait", "--for=condition=Established", "--timeout=500s", "crd", "--all")
    assert known.returncode == 0, known.stderr


def kustomize(folder: Path, *arguments: str) -> None:
    """Run `kustomize` in a folder, as the pipeline of a release does."""
    done = run([go_tool("kustomize"), *arguments], folder)
    assert done.returncode == 0, done.stderr
