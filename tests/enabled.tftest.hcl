mock_provider "aws" {
  source = "./tests/mocks"
}

run "enabled" {
  command = plan

  assert {
    condition = (
      aws_cloudwatch_event_rule.schedule.state == "ENABLED" && aws_cloudwatch_event_rule.scan_events.state == "ENABLED"
    )
    error_message = "Both rules should be enabled by default."
  }
}

run "disabled" {
  command = plan

  variables {
    enabled = false
  }

  assert {
    condition = (
      aws_cloudwatch_event_rule.schedule.state == "DISABLED" && aws_cloudwatch_event_rule.scan_events.state == "DISABLED"
    )
    error_message = "Both rules should be disabled."
  }
}
