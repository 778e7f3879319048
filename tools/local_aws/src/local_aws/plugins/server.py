"""Serves the gateway on the loopback socket that the launcher opened."""

import os
import socket
from typing import Any

from localstack.runtime.server.core import RuntimeServer, RuntimeServerPlugin

SOCKET_VARIABLE = "LOCAL_AWS_SOCKET"


class LoopbackServerPlugin(RuntimeServerPlugin):
    """Plug-in that provides the server if GATEWAY_SERVER is `loopback`."""

    name = "loopback"

    def load(self, *_args: Any, **_kwargs: Any) -> RuntimeServer:
        """Return the server."""
        # This import installs the reactor, and the discovery of plug-ins must not do that.
        from localstack.runtime.server.twisted import TwistedRuntimeServer
        from rolo.serving.twisted import TwistedGateway
        from twisted.internet import reactor

        class LoopbackServer(TwistedRuntimeServer):
            """A server on the given socket; LocalStack's own server listens on every interface."""

            def register(self, gateway: Any, listen: Any, ssl_creds: Any = None) -> None:
                listener = int(os.environ[SOCKET_VARIABLE])
                os.set_blocking(listener, False)
                reactor.adoptStreamPort(listener, socket.AF_INET, TwistedGateway(gateway))

        return LoopbackServer()
