# A separate schedule has the reporter look through its memory once a day: for deadlines that have passed, and for rules
# and settings that have changed. No event tells it of these.

# Just after midnight (UTC): deadlines and rules end with a day. A pass that is missed is made up for by the next one.
resource "aws_cloudwatch_event_rule" "daily_pass" {
  name                = local.names.daily_pass
  description         = "Has the reporter find what is due without an event: deadlines, ended rules, changed settings."
  schedule_expression = "cron(5 0 * * ? *)"
  state               = var.enabled ? "ENABLED" : "DISABLED"
  tags                = var.tags

  depends_on = [aws_dynamodb_table.memory]
}

# Through the queue, which repeats what fails. The time identifies the pass: EventBridge may deliver an event twice.
resource "aws_cloudwatch_event_target" "daily_pass" {
  rule = aws_cloudwatch_event_rule.daily_pass.id
  arn  = module.reports_queue.queue.arn

  input_transformer {
    input_paths    = { time = "$.time" }
    input_template = "{\"pass\": {\"at\": <time>}}"
  }

  dead_letter_config {
    arn = module.reports_queue.dlq.arn
  }
}
