# Checks that a first run starts soon after the apply, whatever the schedule, and not while the module is paused.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_cloudwatch_event_rule.first_run
  values = { id = "first-run-rule", arn = "arn:aws:events:eu-central-1:123456789012:rule/scan-first-run" }
}

override_resource {
  target = module.repositories_scanner.aws_lambda_function.this
  values = { id = "repositories-scanner", arn = "arn:aws:lambda:eu-central-1:123456789012:function:repositories-scanner" }
}

variables {
  name          = "scan"
  rate          = "30 days"
  create_alarms = false
}

run "first_run" {
  assert {
    condition = (
      aws_cloudwatch_event_rule.first_run.name == "scan-first-run" &&
      aws_cloudwatch_event_rule.first_run.schedule_expression == "rate(10 minutes)" &&
      aws_cloudwatch_event_rule.first_run.state == "ENABLED" &&
      aws_cloudwatch_event_target.first_run.rule == "first-run-rule" &&
      aws_cloudwatch_event_target.first_run.arn == "arn:aws:lambda:eu-central-1:123456789012:function:repositories-scanner" &&
      jsondecode(aws_cloudwatch_event_target.first_run.input) == { firstRun = true }
    )
    error_message = "The rule should ask for a first run within ten minutes, also without alarms."
  }

  assert {
    condition = (
      aws_lambda_permission.first_run.function_name == "repositories-scanner" &&
      aws_lambda_permission.first_run.principal == "events.amazonaws.com" &&
      aws_lambda_permission.first_run.source_arn == "arn:aws:events:eu-central-1:123456789012:rule/scan-first-run"
    )
    error_message = "EventBridge should be allowed to invoke the repositories scanner for this rule only."
  }
}

run "paused" {
  command = plan

  variables {
    enabled = false
  }

  assert {
    condition     = aws_cloudwatch_event_rule.first_run.state == "DISABLED"
    error_message = "A paused module should start no run."
  }
}
