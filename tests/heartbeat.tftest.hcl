# Checks the heartbeat: how often it comes, what it invokes, and that there is none without the alarm on silence.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_cloudwatch_event_rule.heartbeat
  values = { id = "heartbeat-rule", arn = "arn:aws:events:eu-central-1:123456789012:rule/scan-heartbeat" }
}

override_resource {
  target = module.repositories_scanner.aws_lambda_function.this
  values = { id = "repositories-scanner", arn = "arn:aws:lambda:eu-central-1:123456789012:function:repositories-scanner" }
}

variables {
  name = "scan"
}

run "heartbeat" {
  assert {
    condition = (
      aws_cloudwatch_event_rule.heartbeat[0].name == "scan-heartbeat" &&
      aws_cloudwatch_event_rule.heartbeat[0].schedule_expression == "rate(60 minutes)" &&
      aws_cloudwatch_event_target.heartbeat[0].rule == "heartbeat-rule" &&
      aws_cloudwatch_event_target.heartbeat[0].arn == "arn:aws:lambda:eu-central-1:123456789012:function:repositories-scanner" &&
      jsondecode(aws_cloudwatch_event_target.heartbeat[0].input) == { heartbeat = true }
    )
    error_message = "The heartbeat should invoke the repositories scanner every hour, with an event that starts no run."
  }

  assert {
    condition = (
      aws_lambda_permission.heartbeat[0].function_name == "repositories-scanner" &&
      aws_lambda_permission.heartbeat[0].principal == "events.amazonaws.com" &&
      aws_lambda_permission.heartbeat[0].source_arn == "arn:aws:events:eu-central-1:123456789012:rule/scan-heartbeat" &&
      aws_lambda_permission.heartbeat[0].source_account == null
    )
    error_message = "EventBridge should be allowed to invoke the repositories scanner for the heartbeat's rule only."
  }
}

run "paused" {
  command = plan

  variables {
    enabled = false
  }

  assert {
    condition = (
      !contains(keys(aws_cloudwatch_metric_alarm.this), "silence") &&
      !contains(keys(aws_cloudwatch_metric_alarm.this), "missing_pass") && length(aws_cloudwatch_metric_alarm.this) == 9 &&
      length(aws_cloudwatch_event_rule.heartbeat) == 0 && length(aws_cloudwatch_event_target.heartbeat) == 0 &&
      length(aws_lambda_permission.heartbeat) == 0
    )
    error_message = "A pause on purpose should not be silence, and should have no heartbeat."
  }
}
