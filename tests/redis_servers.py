"""Redis servers as people have them: with Sentinels, as a cluster, with any options. Real processes on 127.0.0.1."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from dispatcher.local.ports import free_port
from dispatcher.local.redis_server import find_binary

#: seconds that anything here may take
PATIENCE_S = 30.0
_POLL_S = 0.02
#: the passwords of servers and of Sentinels, and the name of the master
PASSWORD, SENTINEL_PASSWORD, MASTER = "servers-secret", "sentinels-secret", "main"
#: what bulkfax asks of a server by default
DURABLE = ("appendonly", "yes", "appendfsync", "always", "save", "")


def until(is_so: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Wait until something is so; a connection error counts as no. Raises TimeoutError."""
    end_s = time.monotonic() + within_s
    while not _holds(is_so):
        if time.monotonic() > end_s:
            raise TimeoutError(f"{is_so} is not so after {within_s:g} s")
        time.sleep(_POLL_S)


def _holds(is_so: Callable[[], bool]) -> bool:
    try:
        return is_so()
    except redis.ConnectionError:
        return False


class Certificates:
    """A certificate authority, and certificates of a server on 127.0.0.1 and of a client, as files in a folder."""

    def __init__(self, folder: Path) -> None:
        """Make them with the program ``openssl``."""
        folder.mkdir(parents=True)
        self.ca, self.server, self.client = (folder / f"{name}.pem" for name in ("ca", "server", "client"))
        self._make(self.ca)
        signed = ("-CA", self.ca, "-CAkey", self.key(self.ca), "-addext", "basicConstraints=critical,CA:FALSE")
        self._make(self.server, *signed, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self._make(self.client, *signed)

    @staticmethod
    def key(certificate: Path) -> Path:
        """Return the file of the key of a certificate."""
        return certificate.with_suffix(".key")

    def _make(self, certificate: Path, *options: str | Path) -> None:
        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        written = ("-keyout", self.key(certificate), "-out", certificate, "-subj", f"/CN={certificate.stem}")
        command = ["openssl", "req", "-x509", "-days", "2", *new_key, *written, *options]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)

    @property
    def server_options(self) -> tuple[str, ...]:
        """The options of a server that lets only clients with a certificate in."""
        return (
            *("tls-cert-file", str(self.server), "tls-key-file", str(self.key(self.server))),
            *("tls-ca-cert-file", str(self.ca), "tls-auth-clients", "yes"),
        )

    @property
    def client_options(self) -> dict[str, str]:
        """The options of a client, for redis-py and for an address."""
        key = self.key(self.client)
        return {"ssl_ca_certs": str(self.ca), "ssl_certfile": str(self.client), "ssl_keyfile": str(key)}


class RedisProcess:
    """A server process with any options, as a context manager. A killed one can be started again with its data."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        port: int = 0,
        sentinel: bool = False,
        certificates: Certificates | None = None,
    ) -> None:
        """``options`` are names and values in turn, as in a configuration file. With certificates it talks TLS only."""
        self.folder = folder
        self.port = port or free_port()
        self._options = options
        self._sentinel = sentinel
        self._certificates = certificates
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server. It may still be loading."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "redis.conf"
        if not config.exists():  # Sentinels keep their state in it, and change it at the servers that they reconfigure
            certificates = self._certificates
            options = (*self._options, *(certificates.server_options if certificates else ()))
            pairs = zip(options[::2], options[1::2], strict=True)
            listen = ["port 0", f"tls-port {self.port}"] if certificates else [f"port {self.port}"]
            lines = [*listen, "bind 127.0.0.1", f"dir {self.folder}"]
            lines += [f"{name} {value}" if value else f'{name} ""' for name, value in pairs]
            config.write_text("\n".join(lines) + "\n")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [find_binary(), config, *(["--sentinel"] if self._sentinel else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def answers(self, **options: Any) -> bool:
        """Wait until the server answers; False if it ended, for example because it was built without TLS."""
        assert self._process is not None
        process, client = self._process, self.client(**options)
        until(lambda: process.poll() is not None or bool(client.ping()))
        client.close()
        return process.poll() is None

    def kill(self) -> None:
        """Kill the server, so that it can say nothing more to anybody."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def client(self, **options: Any) -> "redis.Redis":
        """Return a connection; close it."""
        tls: dict[str, Any] = {"ssl": True, **self._certificates.client_options} if self._certificates else {}
        return redis.Redis(port=self.port, socket_timeout=5.0, **tls, **options)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


@dataclass(slots=True, kw_only=True)
class SentinelGroup:
    """A master, its replicas, and Sentinels that watch them."""

    servers: Sequence[RedisProcess]
    sentinels: Sequence[RedisProcess]
    clients: dict[int, "redis.Redis"] = field(default_factory=dict)

    @property
    def hosts(self) -> str:
        return ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)

    @property
    def url(self) -> str:
        """The address of the master for bulkfax."""
        return f"redis+sentinel://:{PASSWORD}@{self.hosts}/{MASTER}/0?sentinel_password={SENTINEL_PASSWORD}"

    def client_of(self, server: RedisProcess) -> "redis.Redis":
        """Return a connection to a server."""
        if server.port not in self.clients:
            self.clients[server.port] = server.client(password=PASSWORD, decode_responses=True)
        return self.clients[server.port]

    def master(self) -> RedisProcess:
        """Return the master that most Sentinels name."""
        named = [self._named(sentinel) for sentinel in self.sentinels]
        port = max(set(named), key=named.count)
        return next(server for server in self.servers if server.port == port)

    def replicas(self) -> list[RedisProcess]:
        master = self.master()
        return [server for server in self.servers if server is not master]

    def _named(self, sentinel: RedisProcess) -> int:
        with sentinel.client(password=SENTINEL_PASSWORD, decode_responses=True) as client:
            return int(client.sentinel_get_master_addr_by_name(MASTER)[1])

    def ready(self) -> bool:
        """Return whether all replicas follow and all Sentinels know each other and the replicas."""
        for sentinel in self.sentinels:
            with sentinel.client(password=SENTINEL_PASSWORD, decode_responses=True) as client:
                state: Any = client.sentinel_master(MASTER)
                others, replicas = int(state["num-other-sentinels"]), int(state["num-slaves"])
                if (others, replicas) != (len(self.sentinels) - 1, len(self.servers) - 1):
                    return False
        return self.in_step()

    def in_step(self) -> bool:
        """Return whether every replica has all that the master has."""
        master = self.master()
        offset = self._replication(master)["master_repl_offset"]
        replicas = [self._replication(server) for server in self.servers if server is not master]
        return all(
            info["role"] == "slave" and info["master_link_status"] == "up" and info["slave_repl_offset"] == offset
            for info in replicas
        )

    def cut(self, *replicas: RedisProcess) -> None:
        """Let replicas hear nothing more of the master. What they have they keep, and Sentinels still see them."""
        for replica in replicas:
            self.client_of(replica).config_set("masterauth", "wrong")
        self.client_of(self.master()).client_kill_filter(_type="replica")

    def restart(self, server: RedisProcess) -> None:
        """Start a killed server as a replica of the master. By itself a Sentinel takes ten seconds for that."""
        with (server.folder / "redis.conf").open("a") as config:
            config.write(f"replicaof 127.0.0.1 {self.master().port}\n")
        server.start()

    def mend(self) -> None:
        """Let all replicas that live hear their master again."""
        for server in self.servers:
            try:
                self.client_of(server).config_set("masterauth", PASSWORD)
            except redis.ConnectionError:
                continue

    def promoted(self, after: RedisProcess) -> bool:
        """Return whether another server is the master and takes writes."""
        master = self.master()
        return master is not after and self._replication(master)["role"] == "master"

    def _replication(self, server: RedisProcess) -> Any:
        return self.client_of(server).info("replication")


@contextmanager
def sentinel_group(
    folder: Path, *, servers: int = 3, down_after_ms: int = 500, certificates: Certificates | None = None
) -> Iterator[SentinelGroup]:
    """A master and replicas of it, with three Sentinels that fail over after ``down_after_ms``.

    With certificates all of them talk TLS only.
    """
    shutil.rmtree(folder, ignore_errors=True)
    tls = ("tls-replication", "yes") if certificates else ()
    login = ("requirepass", PASSWORD, "masterauth", PASSWORD, "repl-diskless-sync-delay", "0", *tls)
    master = RedisProcess(folder / "server-0", *DURABLE, *login, certificates=certificates)
    follow = ("replicaof", f"127.0.0.1 {master.port}")
    all_servers = [master]
    all_servers += [
        RedisProcess(folder / f"server-{n}", *DURABLE, *login, *follow, certificates=certificates)
        for n in range(1, servers)
    ]
    watch = (
        *("requirepass", SENTINEL_PASSWORD, "sentinel", f"sentinel-pass {SENTINEL_PASSWORD}"),
        *("sentinel", f"monitor {MASTER} 127.0.0.1 {master.port} 2", "sentinel", f"auth-pass {MASTER} {PASSWORD}"),
        *("sentinel", f"down-after-milliseconds {MASTER} {down_after_ms}"),
        *("sentinel", f"failover-timeout {MASTER} 6000", "sentinel", f"parallel-syncs {MASTER} 2", *tls),
    )
    with ExitStack() as stack:
        for server in all_servers:
            stack.enter_context(server)
        master.answers(password=PASSWORD)
        sentinels = [
            RedisProcess(folder / f"sentinel-{n}", *watch, sentinel=True, certificates=certificates) for n in range(3)
        ]
        for sentinel in sentinels:
            stack.enter_context(sentinel)
        group = SentinelGroup(servers=all_servers, sentinels=sentinels)
        until(group.ready)
        yield group
        for client in group.clients.values():
            client.close()


@dataclass(slots=True, kw_only=True)
class ClusterGroup:
    """The nodes of a Redis Cluster: the masters first, then a replica of each, if any."""

    nodes: Sequence[RedisProcess]
    masters: int

    @property
    def url(self) -> str:
        """The address of the cluster for bulkfax, which names two of its nodes."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:2])
        return f"redis+cluster://:{PASSWORD}@{hosts}"

    def client_of(self, node: RedisProcess) -> "redis.Redis":
        """Return a connection to a node; close it."""
        return node.client(password=PASSWORD, decode_responses=True)

    def owner(self, slot: int) -> RedisProcess:
        """Return the node that has a slot now, as the nodes that live see it."""
        for node in self.nodes:
            try:
                with self.client_of(node) as client:
                    ranges: Any = client.execute_command("CLUSTER SLOTS")
            except redis.ConnectionError:
                continue
            port = next(owner[1] for first, last, owner, *_ in ranges if first <= slot <= last)
            return next(each for each in self.nodes if each.port == port)
        raise redis.ConnectionError("no node answers")

    def ready(self) -> bool:
        """Return whether every node sees all slots served, and its replicas in step."""
        for node in self.nodes:
            with self.client_of(node) as client:
                state: Any = client.cluster("info")
                info: Any = client.info("replication")
                if state["cluster_state"] != "ok" or int(state["cluster_known_nodes"]) != len(self.nodes):
                    return False
                if info["role"] == "slave" and info["master_link_status"] != "up":
                    return False
        return True


#: slots of a cluster
SLOTS = 16384


@contextmanager
def redis_cluster(
    folder: Path, *, masters: int = 3, replicas: bool = False, node_timeout_ms: int = 15_000
) -> Iterator[ClusterGroup]:
    """A cluster of masters that share the slots, each with a replica or none, which fails over after the timeout."""
    login = ("requirepass", PASSWORD, "masterauth", PASSWORD, "repl-diskless-sync-delay", "0")
    own = ("cluster-enabled", "yes", "cluster-node-timeout", str(node_timeout_ms))
    folders = [folder / f"node-{number}" for number in range(masters * (1 + replicas))]
    nodes = [RedisProcess(each, *DURABLE, *login, *own, port=_free_port_of_a_node()) for each in folders]
    group = ClusterGroup(nodes=nodes, masters=masters)
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(node)
        clients: list[Any] = [stack.enter_context(group.client_of(node)) for node in nodes]
        for number, client in enumerate(clients):
            until(client.ping)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        for number, client in enumerate(clients[:masters]):
            own_slots = range(SLOTS * number // masters, SLOTS * (number + 1) // masters)
            client.execute_command("CLUSTER", "ADDSLOTS", *own_slots)
        ids = [client.execute_command("CLUSTER", "MYID") for client in clients]
        for client, master in zip(clients[masters:], ids, strict=False):
            until(lambda: _replicate(client, master))  # noqa: B023  # it is called before the next turn
        until(group.ready)
        yield group


def _free_port_of_a_node() -> int:
    """Return a free port; nodes talk to each other on the port 10,000 above it."""
    while (port := free_port()) >= 55_000:
        pass
    return port


def _replicate(client: Any, master: str) -> bool:
    try:
        client.execute_command("CLUSTER", "REPLICATE", master)
    except redis.ResponseError:
        return False  # it does not know the master yet
    return True
