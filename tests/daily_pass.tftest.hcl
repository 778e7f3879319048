# Checks the schedule of the daily pass: when it comes, and that it goes through the reports queue.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_cloudwatch_event_rule.daily_pass
  values = { id = "daily-pass-rule", arn = "arn:aws:events:eu-central-1:123456789012:rule/scan-daily-pass" }
}

override_resource {
  target = module.reports_queue.aws_sqs_queue.this
  values = { arn = "arn:aws:sqs:eu-central-1:123456789012:reports" }
}

override_resource {
  target = module.reports_queue.aws_sqs_queue.dlq
  values = { arn = "arn:aws:sqs:eu-central-1:123456789012:reports-dlq" }
}

variables {
  name = "scan"
}

# Whatever the rate of the scans is: what passes its deadline is reported on that day.
run "every_day" {
  variables {
    rate = "7 days"
  }

  assert {
    condition = (
      aws_cloudwatch_event_rule.daily_pass.name == "scan-daily-pass" &&
      aws_cloudwatch_event_rule.daily_pass.schedule_expression == "cron(5 0 * * ? *)" &&
      aws_cloudwatch_event_rule.daily_pass.state == "ENABLED"
    )
    error_message = "A pass should begin at the beginning of each day."
  }

  assert {
    condition = (
      aws_cloudwatch_event_target.daily_pass.rule == "daily-pass-rule" &&
      aws_cloudwatch_event_target.daily_pass.arn == "arn:aws:sqs:eu-central-1:123456789012:reports" &&
      aws_cloudwatch_event_target.daily_pass.dead_letter_config[0].arn == "arn:aws:sqs:eu-central-1:123456789012:reports-dlq" &&
      aws_cloudwatch_event_target.daily_pass.input_transformer[0].input_paths == tomap({ time = "$.time" }) &&
      aws_cloudwatch_event_target.daily_pass.input_transformer[0].input_template == "{\"pass\": {\"at\": <time>}}"
    )
    error_message = "The rule should queue a pass for the reporter, with the time of the event, and lose none."
  }

  assert {
    condition = (
      output.daily_pass_rule_arn == "arn:aws:events:eu-central-1:123456789012:rule/scan-daily-pass" &&
      output.daily_pass_rule_name == "scan-daily-pass"
    )
    error_message = "The outputs should name the rule."
  }
}

run "paused" {
  command = plan

  variables {
    enabled = false
  }

  assert {
    condition     = aws_cloudwatch_event_rule.daily_pass.state == "DISABLED"
    error_message = "There should be no pass during a pause."
  }
}
