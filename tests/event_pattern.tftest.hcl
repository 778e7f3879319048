mock_provider "aws" {
  source = "./tests/mocks"
}

run "with_failures" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.scan_events.event_pattern) == {
      source = ["aws.ecr"], detail-type = ["ECR Image Scan"], detail = { scan-status = ["COMPLETE", "FAILED"] }
    }
    error_message = "Scans that are complete and scans that failed are taken."
  }
}

run "without_failures" {
  command = plan

  variables {
    notify_on_scan_failure = false
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.scan_events.event_pattern) == {
      source = ["aws.ecr"], detail-type = ["ECR Image Scan"], detail = { scan-status = ["COMPLETE"] }
    }
    error_message = "Only scans that are complete are taken."
  }
}
