"""CloudWatch Logs for LocalStack: LocalStack's own provider, with saved queries. They are stored and never run."""

import uuid
from typing import Any

from localstack.aws.api import RequestContext
from localstack.services.plugins import Service, aws_provider


@aws_provider(api="logs", name="local_aws")
def logs() -> Service:
    """Make the service when LocalStack loads it."""
    from localstack.aws.api.logs import ResourceNotFoundException
    from localstack.services.logs.provider import LogsProvider
    from localstack.services.moto import MotoFallbackDispatcher

    class LogsProviderWithQueries(LogsProvider):
        """Stores the saved queries of each account and Region by their ids."""

        def __init__(self) -> None:
            super().__init__()
            self._queries: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

        def _own(self, context: RequestContext) -> dict[str, dict[str, Any]]:
            return self._queries.setdefault((context.account_id, context.region), {})

        def put_query_definition(
            self,
            context: RequestContext,
            name: str,
            query_string: str,
            query_definition_id: str | None = None,
            log_group_names: list[str] | None = None,
            **_: Any,
        ) -> dict[str, str]:
            """Create a saved query, or replace the one with the given id."""
            query_id = query_definition_id or str(uuid.uuid4())
            self._own(context)[query_id] = {
                "queryDefinitionId": query_id,
                "name": name,
                "queryString": query_string,
                "logGroupNames": log_group_names or [],
            }
            return {"queryDefinitionId": query_id}

        def describe_query_definitions(
            self, context: RequestContext, query_definition_name_prefix: str | None = None, **_: Any
        ) -> dict[str, list[dict[str, Any]]]:
            """Return all saved queries whose names begin with the prefix, on one page."""
            prefix = query_definition_name_prefix or ""
            return {
                "queryDefinitions": [query for query in self._own(context).values() if query["name"].startswith(prefix)]
            }

        def delete_query_definition(
            self, context: RequestContext, query_definition_id: str, **_: Any
        ) -> dict[str, bool]:
            """Delete a saved query.

            Raises:
                ResourceNotFoundException: there is no such query.
            """
            if self._own(context).pop(query_definition_id, None) is None:
                raise ResourceNotFoundException(f"query definition is {query_definition_id}; expected an existing one")
            return {"success": True}

    return Service.for_provider(LogsProviderWithQueries(), dispatch_table_factory=MotoFallbackDispatcher)
