"""The server: a few processes with threads. `uv run gunicorn` reads this file by itself."""

from backend.env import load

env = load()

wsgi_app = "backend.wsgi:application"
bind = f"{env.host}:{env.port}"
worker_class = "backend.core.server.Worker"
workers = env.web_workers
threads = env.web_threads
# A request in progress may end; then the process leaves, and a load balancer has long looked elsewhere.
graceful_timeout = env.shutdown_seconds
timeout = 60
keepalive = 75
# Fresh processes now and then give back what fragmentation has taken.
max_requests = 20_000
max_requests_jitter = 2_000
# The request log has one line for each request already, with its id.
accesslog = None
loglevel = env.log_level.lower()
control_socket_disable = True
forwarded_allow_ips = "*" if env.trusted_proxies else "127.0.0.1"
