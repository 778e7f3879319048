# The heartbeat: between two runs, it has the repositories scanner write for how long the next complete run is overdue,
# for the alarm on silence in alarms.tf. It starts no run.

locals {
  # The repositories scanner relies on it, and knows it as _HEARTBEAT_INTERVAL.
  heartbeat_minutes = 60

  # Not the length of a resource, which is unknown to an import into a state that does not have it.
  heartbeats = contains(keys(local.alarms), "silence") ? 1 : 0
}

resource "aws_cloudwatch_event_rule" "heartbeat" {
  count = local.heartbeats

  name                = local.names.heartbeat
  description         = "Has the repositories scanner write for how long a run is overdue."
  schedule_expression = "rate(${local.heartbeat_minutes} minutes)"
  tags                = var.tags

  depends_on = [aws_dynamodb_table.memory]
}

resource "aws_cloudwatch_event_target" "heartbeat" {
  count = local.heartbeats

  rule  = aws_cloudwatch_event_rule.heartbeat[0].id
  arn   = module.repositories_scanner.function.arn
  input = jsonencode({ heartbeat = true })

  depends_on = [aws_lambda_permission.heartbeat]
}

resource "aws_lambda_permission" "heartbeat" {
  count = local.heartbeats

  statement_id  = "AllowHeartbeatRule"
  action        = "lambda:InvokeFunction"
  function_name = module.repositories_scanner.function.id
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.heartbeat[0].arn
}
