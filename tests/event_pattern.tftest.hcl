mock_provider "aws" {
  source = "./tests/mocks"
}

run "with_failures" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.scan_events.event_pattern) == {
      source      = ["aws.ecr", "aws.inspector2"]
      detail-type = ["ECR Image Scan", "Inspector2 Scan"]
      detail      = { repository-name = [{ exists = true }] }
    }
    error_message = "The rule should match all scans of repositories, basic and enhanced, including failed ones."
  }
}

run "without_failures" {
  command = plan

  variables {
    notify_on_scan_failure = false
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.scan_events.event_pattern) == {
      source      = ["aws.ecr", "aws.inspector2"]
      detail-type = ["ECR Image Scan", "Inspector2 Scan"]
      detail      = { repository-name = [{ exists = true }], scan-status = [{ anything-but = ["FAILED"] }] }
    }
    error_message = "The rule should match all scans of repositories except failed ones."
  }
}
