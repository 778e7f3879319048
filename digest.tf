# A separate schedule has the reporter publish the digest: the state of the registry, and what has changed since the last
# digest.

resource "aws_cloudwatch_event_rule" "digest_schedule" {
  count = var.digest_schedule == null ? 0 : 1

  name                = local.names.digest_schedule
  description         = "Has the reporter publish the digest."
  schedule_expression = can(regex("^(rate|cron)\\(", var.digest_schedule)) ? var.digest_schedule : "rate(${var.digest_schedule})"
  state               = var.enabled ? "ENABLED" : "DISABLED"
  tags                = var.tags
}

# EventBridge may deliver an event twice. The reporter publishes one digest per time of the schedule, so it needs that time.
resource "aws_cloudwatch_event_target" "digest_schedule" {
  count = var.digest_schedule == null ? 0 : 1

  rule = aws_cloudwatch_event_rule.digest_schedule[0].name
  arn  = module.reporter.function.arn

  input_transformer {
    input_paths    = { time = "$.time" }
    input_template = "{\"digest\": true, \"time\": <time>}"
  }

  # A rule that fires before it has permission to invoke the function loses that digest.
  depends_on = [aws_lambda_permission.digest_schedule]
}

# No source_account: EventBridge does not send it, so with it every invocation would be denied.
resource "aws_lambda_permission" "digest_schedule" {
  count = var.digest_schedule == null ? 0 : 1

  statement_id  = "AllowDigestScheduleRule"
  action        = "lambda:InvokeFunction"
  function_name = module.reporter.function.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.digest_schedule[0].arn
}

# Only the digest invokes the reporter asynchronously. Lambda retries it twice, within minutes, and then sends a record of it
# to the DLQ, so that a missing digest does not look like health. Nobody needs a digest that is hours late.
resource "aws_lambda_function_event_invoke_config" "digest" {
  count = var.digest_schedule == null ? 0 : 1

  function_name                = module.reporter.function.function_name
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = module.reports_queue.dlq.arn
    }
  }
}
