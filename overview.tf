# A separate schedule has the reporter publish the overview: the state of the registry, and what has changed since the
# last overview.

locals {
  overview_schedule = var.overview_schedule == null ? "" : (
    can(regex("^(rate|cron)\\(", var.overview_schedule)) ? var.overview_schedule : "rate(${var.overview_schedule})"
  )
}

resource "aws_cloudwatch_event_rule" "overview_schedule" {
  count = var.overview_schedule == null ? 0 : 1 # unknown at plan: see "Values of other resources" in README.md

  name        = local.names.overview_schedule
  description = "Has the reporter publish the overview."
  state       = var.enabled ? "ENABLED" : "DISABLED"
  tags        = var.tags

  schedule_expression = local.overview_schedule

  depends_on = [aws_dynamodb_table.memory]
}

# EventBridge may deliver an event twice. The reporter publishes one overview per time of the schedule, so it needs that
# time.
resource "aws_cloudwatch_event_target" "overview_schedule" {
  count = var.overview_schedule == null ? 0 : 1

  rule = aws_cloudwatch_event_rule.overview_schedule[0].id
  arn  = module.reporter.function.arn

  input_transformer {
    input_paths    = { time = "$.time" }
    input_template = "{\"overview\": true, \"time\": <time>}"
  }

  # A rule that fires before it has permission to invoke the function loses that overview.
  depends_on = [aws_lambda_permission.overview_schedule]
}

# No source_account: EventBridge does not send it, so with it every invocation would be denied.
resource "aws_lambda_permission" "overview_schedule" {
  count = var.overview_schedule == null ? 0 : 1

  statement_id  = "AllowOverviewScheduleRule"
  action        = "lambda:InvokeFunction"
  function_name = module.reporter.function.id
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.overview_schedule[0].arn
}

# Only the overview invokes the reporter asynchronously. Lambda retries it twice, within minutes, and then sends a
# record of it to the DLQ, so that a missing overview does not look like health. Nobody needs an overview that is hours
# late.
resource "aws_lambda_function_event_invoke_config" "overview" {
  count = var.overview_schedule == null ? 0 : 1

  function_name                = module.reporter.function.id
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = module.reports_queue.dlq.arn
    }
  }
}
