mock_provider "aws" {
  source = "./tests/mocks"
}

run "bare_rate" {
  command = plan

  variables {
    rate = "12 hours"
  }

  assert {
    condition     = aws_cloudwatch_event_rule.schedule.schedule_expression == "rate(12 hours)"
    error_message = "A bare rate should become rate()."
  }

  assert {
    condition     = local.run_interval_seconds == 43200
    error_message = "The interval between two runs should be 43200 seconds."
  }
}

run "rate" {
  command = plan

  variables {
    rate = "rate(1 minute)"
  }

  assert {
    condition     = aws_cloudwatch_event_rule.schedule.schedule_expression == "rate(1 minute)"
    error_message = "rate() should be kept."
  }

  assert {
    condition     = local.run_interval_seconds == 60
    error_message = "The interval between two runs should be 60 seconds."
  }
}

run "cron" {
  command = plan

  variables {
    rate = "cron(0/15 8-17 ? * MON-FRI *)"
  }

  assert {
    condition     = aws_cloudwatch_event_rule.schedule.schedule_expression == "cron(0/15 8-17 ? * MON-FRI *)"
    error_message = "cron() should be kept."
  }

  assert {
    condition     = local.run_interval_seconds == 86400
    error_message = "The interval between two runs should be 86400 seconds."
  }
}
