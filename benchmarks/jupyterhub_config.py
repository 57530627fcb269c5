"""Configuration of the hub of benchmarks/classroom.py. Everybody is let in, all as one user: never for a class."""

import json
import os
from pathlib import Path

c = get_config()  # noqa: F821 - JupyterHub hands it over
plan = json.loads(os.environ["CLASSROOM"])

c.JupyterHub.bind_url = plan["address"]
c.JupyterHub.hub_bind_url = plan["behind"]
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret = os.urandom(32)
c.JupyterHub.log_level = "WARN"
c.JupyterHub.concurrent_spawn_limit = 0  # all come at once, and nobody is sent away
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.ConfigurableHTTPProxy.command = [plan["proxy"]]
c.ConfigurableHTTPProxy.api_url = plan["proxy_api"]
c.ConfigurableHTTPProxy.pid_file = str(Path(plan["homes"]) / "proxy.pid")

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(Path(plan["homes"]) / "{username}")
c.Spawner.notebook_dir = plan["course"]
c.Spawner.args = ["--allow-root"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 900
c.Spawner.env_keep = ["PATH", "LANG", "PYTHONPATH", "JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "JUPYTERLAB_DIR"]
c.Spawner.environment = plan["environment"]

c.JupyterHub.services = [{"name": "class", "api_token": plan["token"]}]
c.JupyterHub.load_roles = [
    {"name": "class", "scopes": ["admin:users", "admin:servers", "access:servers"], "services": ["class"]}
]
