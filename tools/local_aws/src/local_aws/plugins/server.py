"""Serves the gateway on the loopback socket that the launcher has opened."""

import os
import socket
from typing import Any

from localstack.runtime.server.core import RuntimeServer, RuntimeServerPlugin

SOCKET_VARIABLE = "LOCAL_AWS_SOCKET"


class LoopbackServerPlugin(RuntimeServerPlugin):
    """Makes the server, when GATEWAY_SERVER is `loopback`."""

    name = "loopback"

    def load(self, *_args: Any, **_kwargs: Any) -> RuntimeServer:
        """Return the server."""
        # The reactor is installed by its import, which the discovery of plug-ins must not cause.
        from localstack.runtime.server.twisted import TwistedRuntimeServer
        from rolo.serving.twisted import TwistedGateway
        from twisted.internet import reactor

        class LoopbackServer(TwistedRuntimeServer):
            """LocalStack's server listens on every interface; this one listens on the socket it is given."""

            def register(self, gateway: Any, listen: Any, ssl_creds: Any = None) -> None:
                listener = int(os.environ[SOCKET_VARIABLE])
                os.set_blocking(listener, False)
                reactor.adoptStreamPort(listener, socket.AF_INET, TwistedGateway(gateway))

        return LoopbackServer()
