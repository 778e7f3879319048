# Checks the schedule of the overview.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_cloudwatch_event_rule.overview_schedule
  values = { id = "overview-rule", arn = "arn:aws:events:eu-central-1:123456789012:rule/overview-schedule" }
}

override_resource {
  target = module.reporter.aws_lambda_function.this
  values = { id = "reporter", arn = "arn:aws:lambda:eu-central-1:123456789012:function:reporter" }
}

override_resource {
  target = module.reports_queue.aws_sqs_queue.dlq
  values = { arn = "arn:aws:sqs:eu-central-1:123456789012:reports-dlq" }
}

run "default" {
  assert {
    condition = (
      aws_cloudwatch_event_rule.overview_schedule[0].name == "ecr-scan-reporter-overview-schedule" &&
      aws_cloudwatch_event_rule.overview_schedule[0].schedule_expression == "cron(0 7 ? * MON *)" &&
      aws_cloudwatch_event_rule.overview_schedule[0].state == "ENABLED"
    )
    error_message = "The overview should be published each Monday at 07:00 UTC."
  }

  assert {
    condition = (
      aws_cloudwatch_event_target.overview_schedule[0].rule == "overview-rule" &&
      aws_cloudwatch_event_target.overview_schedule[0].arn == "arn:aws:lambda:eu-central-1:123456789012:function:reporter" &&
      aws_cloudwatch_event_target.overview_schedule[0].input_transformer[0].input_paths == tomap({ time = "$.time" }) &&
      aws_cloudwatch_event_target.overview_schedule[0].input_transformer[0].input_template == "{\"overview\": true, \"time\": <time>}"
    )
    error_message = "The rule should ask the reporter for an overview, and pass the time of the event."
  }

  assert {
    condition = (
      aws_lambda_permission.overview_schedule[0].principal == "events.amazonaws.com" &&
      aws_lambda_permission.overview_schedule[0].function_name == "reporter" &&
      aws_lambda_permission.overview_schedule[0].source_arn == "arn:aws:events:eu-central-1:123456789012:rule/overview-schedule" &&
      aws_lambda_permission.overview_schedule[0].source_account == null
    )
    error_message = "Only this rule should be permitted to invoke the reporter, and without a source account."
  }

  assert {
    condition = (
      aws_lambda_function_event_invoke_config.overview[0].function_name == "reporter" &&
      aws_lambda_function_event_invoke_config.overview[0].maximum_event_age_in_seconds == 3600 &&
      aws_lambda_function_event_invoke_config.overview[0].maximum_retry_attempts == 2 &&
      (aws_lambda_function_event_invoke_config.overview[0].destination_config[0].on_failure[0].destination
      == "arn:aws:sqs:eu-central-1:123456789012:reports-dlq")
    )
    error_message = "An overview should be repeated twice within an hour, and then go to the DLQ."
  }

  assert {
    condition = (
      output.overview_schedule_rule_arn == "arn:aws:events:eu-central-1:123456789012:rule/overview-schedule" &&
      output.overview_schedule_rule_name == "ecr-scan-reporter-overview-schedule"
    )
    error_message = "The outputs should name the rule."
  }
}

run "none" {
  variables {
    overview_schedule = null
  }

  assert {
    condition = (
      length(aws_cloudwatch_event_rule.overview_schedule) == 0 && length(aws_cloudwatch_event_target.overview_schedule) == 0 &&
      length(aws_lambda_permission.overview_schedule) == 0 && length(aws_lambda_function_event_invoke_config.overview) == 0 &&
      output.overview_schedule_rule_arn == null && output.overview_schedule_rule_name == null
    )
    error_message = "Null should create no schedule of an overview."
  }
}

run "bare_rate" {
  command = plan

  variables {
    overview_schedule = "7 days"
    tags              = { team = "platform" }
  }

  assert {
    condition = (
      aws_cloudwatch_event_rule.overview_schedule[0].schedule_expression == "rate(7 days)" &&
      aws_cloudwatch_event_rule.overview_schedule[0].tags == tomap({ team = "platform" })
    )
    error_message = "A bare rate should become rate(), and the rule should have the tags."
  }
}

run "rate" {
  command = plan

  variables {
    overview_schedule = "rate(1 day)"
  }

  assert {
    condition     = aws_cloudwatch_event_rule.overview_schedule[0].schedule_expression == "rate(1 day)"
    error_message = "rate() should be kept."
  }
}

run "disabled" {
  command = plan

  variables {
    enabled = false
  }

  assert {
    condition     = aws_cloudwatch_event_rule.overview_schedule[0].state == "DISABLED"
    error_message = "The rule should be disabled."
  }
}

run "rejects_empty_schedule" {
  command = plan

  variables {
    overview_schedule = ""
  }

  expect_failures = [var.overview_schedule]
}

run "rejects_plural_unit_for_one" {
  command = plan

  variables {
    overview_schedule = "1 days"
  }

  expect_failures = [var.overview_schedule]
}

run "rejects_zero" {
  command = plan

  variables {
    overview_schedule = "rate(0 days)"
  }

  expect_failures = [var.overview_schedule]
}

run "rejects_weeks" {
  command = plan

  variables {
    overview_schedule = "1 week"
  }

  expect_failures = [var.overview_schedule]
}

run "rejects_cron_with_five_fields" {
  command = plan

  variables {
    overview_schedule = "cron(0 7 ? * MON)"
  }

  expect_failures = [var.overview_schedule]
}

run "rejects_cron_without_question_mark" {
  command = plan

  variables {
    overview_schedule = "cron(0 7 * * MON *)"
  }

  expect_failures = [var.overview_schedule]
}

run "rejects_101_characters" {
  command = plan

  variables {
    overview_schedule = "cron(0${join("", [for n in range(41) : ",1"])} 7 ? * MON *)"
  }

  expect_failures = [var.overview_schedule]
}
