# A schedule of its own lets the reporter publish the digest: where the registry stands, and what has changed since the last
# one.

resource "aws_cloudwatch_event_rule" "digest_schedule" {
  count = var.digest_schedule == null ? 0 : 1

  name                = local.names.digest_schedule
  description         = "Starts the digest."
  schedule_expression = can(regex("^(rate|cron)\\(", var.digest_schedule)) ? var.digest_schedule : "rate(${var.digest_schedule})"
  state               = var.enabled ? "ENABLED" : "DISABLED"
  tags                = var.tags
}

# EventBridge may deliver an event twice. The reporter publishes one digest per time of the schedule, so it has to know it.
resource "aws_cloudwatch_event_target" "digest_schedule" {
  count = var.digest_schedule == null ? 0 : 1

  rule = aws_cloudwatch_event_rule.digest_schedule[0].name
  arn  = module.reporter.function.arn

  input_transformer {
    input_paths    = { time = "$.time" }
    input_template = "{\"digest\": true, \"time\": <time>}"
  }

  # A rule that fires before it may invoke the function loses that digest.
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

# Only the digest invokes the reporter asynchronously. Lambda repeats it twice, within minutes; then it is a message of the
# DLQ, so that its absence does not look like health. An event that is hours old would only be overtaken by the next one.
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
