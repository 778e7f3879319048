# Checks two EventBridge rules, the schedule and the scan events: their expression and pattern, and how to disable them.

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

run "scans_of_repositories" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.scan_events.event_pattern) == {
      source      = ["aws.ecr", "aws.inspector2"]
      detail-type = ["ECR Image Scan", "Inspector2 Scan", "Inspector2 Finding"]
      detail = {
        "$or" = [
          { repository-name = [{ exists = true }] },
          { resources = { type = ["AWS_ECR_CONTAINER_IMAGE"] } },
        ]
      }
    }
    error_message = "The rule should match all scans of repositories, including failed ones, and all findings in their images."
  }
}

run "failures_that_are_not_reported" {
  command = plan

  variables {
    notify_on_scan_failure = false
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.scan_events.event_pattern) == {
      source      = ["aws.ecr", "aws.inspector2"]
      detail-type = ["ECR Image Scan", "Inspector2 Scan", "Inspector2 Finding"]
      detail = {
        "$or" = [
          { repository-name = [{ exists = true }] },
          { resources = { type = ["AWS_ECR_CONTAINER_IMAGE"] } },
        ]
      }
    }
    error_message = "The rule should match failed scans even if they are not reported, so that the memory knows them."
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
