# Checks the alarms: what they watch, from which value they fire, whom they notify, and how they are switched off.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_sns_topic.alarms
  values = { arn = "arn:aws:sns:eu-central-1:123456789012:scan-alarms" }
}

variables {
  name = "scan"
}

run "default_alarms" {
  variables {
    alarm_actions = ["arn:aws:sns:eu-central-1:123456789012:pager"]
  }

  assert {
    condition = { for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name => join(" ", [
      alarm.namespace, alarm.metric_name, join(",", values(alarm.dimensions)), alarm.statistic, alarm.comparison_operator,
      alarm.threshold, "${alarm.evaluation_periods}x${alarm.period}", alarm.treat_missing_data,
      ]) } == {
      scan-images-dlq        = "AWS/SQS ApproximateNumberOfMessagesVisible scan-images-dlq Maximum GreaterThanThreshold 0 1x300 ignore"
      scan-reports-dlq       = "AWS/SQS ApproximateNumberOfMessagesVisible scan-reports-dlq Maximum GreaterThanThreshold 0 1x300 ignore"
      scan-images-queue-age  = "AWS/SQS ApproximateAgeOfOldestMessage scan-images Maximum GreaterThanThreshold 86400 1x300 notBreaching"
      scan-events-lost       = "AWS/Events InvocationsFailedToBeSentToDlq scan-scan-events Sum GreaterThanThreshold 0 1x300 notBreaching"
      scan-reports-queue-age = "AWS/SQS ApproximateAgeOfOldestMessage scan-reports Maximum GreaterThanThreshold 3600 1x300 notBreaching"
      scan-unpublished       = "EcrScanReporter OldestUnpublished scan Maximum GreaterThanThreshold 3600 1x300 ignore"
      scan-missing-events    = "EcrScanReporter LostEvents scan Maximum GreaterThanThreshold 1 1x86400 notBreaching"
      # The functions compute both numbers from the schedule and the promised age.
      scan-overdue-scans = "EcrScanReporter ScansOverdue scan Maximum GreaterThanThreshold 0 1x3600 ignore"
      scan-silence       = "EcrScanReporter RunOverdue scan Minimum GreaterThanThreshold 0 3x3600 missing"
      # It watches for the metric to be missing.
      scan-missing-pass = "AWS/Events Invocations scan-daily-pass Sum GreaterThanThreshold 1000 2x86400 missing"

      scan-repositories-scanner-errors = "AWS/Lambda Errors scan-repositories-scanner Sum GreaterThanThreshold 0 1x300 notBreaching"
    }
    error_message = "There should be exactly these alarms."
  }

  assert {
    condition = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : join(",", keys(alarm.dimensions)) == (
      { "AWS/SQS" = "QueueName", "AWS/Events" = "RuleName", "AWS/Lambda" = "FunctionName", EcrScanReporter = "Instance" }[alarm.namespace]
    )])
    error_message = "Each metric should have the one dimension by which it is written."
  }

  assert {
    condition = alltrue([for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:scan-alarms", "arn:aws:sns:eu-central-1:123456789012:pager"]) &&
      alarm.ok_actions == alarm.alarm_actions
    ])
    error_message = "All alarms should notify the module's own topic and the given one, when they fire and when they end."
  }

  assert {
    condition     = [for key, alarm in aws_cloudwatch_metric_alarm.this : key if length(alarm.insufficient_data_actions) > 0] == ["missing_pass", "silence"]
    error_message = "Only a missing heartbeat or daily pass should be an alarm, not a queue or a function that nobody uses."
  }

  assert {
    condition = aws_cloudwatch_metric_alarm.this["silence"].insufficient_data_actions == (
      aws_cloudwatch_metric_alarm.this["silence"].alarm_actions
    )
    error_message = "A missing heartbeat should notify like an alarm."
  }

  assert {
    condition = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : can(regex(
      "\nIt can wait until the morning: .+\nFor the commands on the page: export NAME=scan AWS_REGION=eu-central-1\n", alarm.alarm_description
    ))])
    error_message = "Each description should say whether it can wait, and what the commands on the page need."
  }

  assert {
    condition = output.runbook == {
      page      = local.operations_page
      variables = "export NAME=scan AWS_REGION=eu-central-1"
    }
    error_message = "The output should have the page, and what its commands need."
  }

  # GitHub makes the anchor of a heading: lower case, hyphens in place of spaces.
  assert {
    condition = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : contains(
      [for heading in regexall("(?m)^#+ (.*)$", file("docs/operations.md")) : replace(lower(heading[0]), " ", "-")],
      try(regex(" https://[^ ]+/blob/(?:main|v[0-9.]+)/docs/operations\\.md#([a-z-]+)$", alarm.alarm_description)[0], "none"),
    )])
    error_message = "Each description should end with a link to the section of docs/operations.md, of this version, that says what to do."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length(alarm.alarm_description) <= 1024])
    error_message = "CloudWatch should accept the descriptions."
  }

  assert {
    condition = jsondecode(aws_sns_topic.alarms[0].policy).Statement == [
      {
        Sid       = "DenyInsecureTransport", Effect = "Deny", Principal = "*", Action = "sns:Publish"
        Resource  = "arn:aws:sns:eu-central-1:123456789012:scan-alarms"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "AllowAlarms", Effect = "Allow", Principal = { Service = "cloudwatch.amazonaws.com" }, Action = "sns:Publish"
        Resource  = "arn:aws:sns:eu-central-1:123456789012:scan-alarms"
        Condition = { ArnLike = { "aws:SourceArn" = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:scan-*" } }
      },
    ]
    error_message = "The topic of the alarms should accept messages of this instance's alarms only."
  }

  # CloudWatch may not use the AWS managed key.
  assert {
    condition     = aws_sns_topic.alarms[0].kms_master_key_id == null
    error_message = "Without a customer key, the topic of the alarms should have no key."
  }

  assert {
    condition = (
      output.alarms_topic_arn == "arn:aws:sns:eu-central-1:123456789012:scan-alarms" && output.alarms_topic_name == "scan-alarms" &&
      toset(keys(output.alarm_arns)) == toset(keys(aws_cloudwatch_metric_alarm.this))
    )
    error_message = "The outputs should name the topic and the alarms."
  }
}

run "detailed_monitoring" {
  variables {
    detailed_monitoring = true
  }

  assert {
    condition = {
      for key, alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name => join(" ", [
        alarm.namespace, alarm.metric_name, join(",", values(alarm.dimensions)), alarm.statistic, alarm.comparison_operator,
        alarm.threshold, "${alarm.evaluation_periods}x${alarm.period}", alarm.treat_missing_data,
      ]) if strcontains(key, "_errors") || strcontains(key, "_throttles")
      } == {
      for pair in setproduct(["Errors", "Throttles"], ["repositories-scanner", "images-scanner", "reporter"]) :
      "scan-${pair[1]}-${lower(pair[0])}" => join(" ", [
        "AWS/Lambda ${pair[0]} scan-${pair[1]} Sum GreaterThanThreshold 0",
        "${pair[0] == "Errors" ? 1 : 4}x300 notBreaching",
      ])
    }
    error_message = "There should be alarms on the errors and throttles of each function."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 16
    error_message = "The others should be as they are without."
  }
}

run "weekly_runs" {
  command = plan

  variables {
    rate = "7 days"
  }

  # A message may wait for a run of a day at most: SQS deletes it after four days.
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["images_queue_age"].threshold == 86400
    error_message = "The alarm should fire when a repository has waited for a day, also for weekly runs."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["silence"].period * aws_cloudwatch_metric_alarm.this["silence"].evaluation_periods
      <= 86400
    )
    error_message = "CloudWatch should evaluate the alarm every minute, as it does for at most a day of data."
  }
}

run "frequent_runs" {
  command = plan

  variables {
    rate = "10 minutes"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["images_queue_age"].threshold == 5 * 6 * 900
    error_message = "A message that is retried should not be an alarm before it goes to the DLQ."
  }
}

run "some_alarms" {
  command = plan

  variables {
    disabled_alarms     = ["silence", "reporter_errors", "images_scanner_throttles"]
    detailed_monitoring = true
  }

  assert {
    condition = (
      length(setintersection(keys(aws_cloudwatch_metric_alarm.this), var.disabled_alarms)) == 0 &&
      length(aws_cloudwatch_metric_alarm.this) == 13 && length(aws_cloudwatch_event_rule.heartbeat) == 0
    )
    error_message = "All alarms but the disabled ones should exist, and no heartbeat without the alarm on silence."
  }
}

run "widget" {
  command = plan

  variables {
    dashboard_widget    = true
    disabled_alarms     = ["console_widget_throttles"]
    detailed_monitoring = true
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["console_widget_errors"].alarm_name == "scan-console-widget-errors" &&
      aws_cloudwatch_metric_alarm.this["console_widget_errors"].dimensions.FunctionName == "scan-console-widget" &&
      length(aws_cloudwatch_metric_alarm.this) == 17
    )
    error_message = "The widget's function should have alarms like the other functions."
  }
}

run "disabled_alarm_of_an_absent_widget" {
  command = plan

  variables {
    disabled_alarms = ["console_widget_errors", "console_widget_throttles"]
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 11
    error_message = "Naming the widget's alarms should have no effect while there is no widget."
  }
}

run "without_alarms" {
  command = plan

  variables {
    create_alarms = false
  }

  assert {
    condition = (
      length(aws_cloudwatch_metric_alarm.this) == 0 && length(aws_sns_topic.alarms) == 0 &&
      length(aws_cloudwatch_event_rule.heartbeat) == 0 && output.alarms_topic_arn == null && output.alarms_topic_name == null &&
      length(output.alarm_arns) == 0
    )
    error_message = "There should be neither alarms, nor their topic, nor the heartbeat."
  }
}

run "customer_key" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = aws_sns_topic.alarms[0].kms_master_key_id == var.kms_key_arn
    error_message = "The topic of the alarms should have the customer key."
  }
}

run "address_for_alarms" {
  variables {
    alarm_email = "operations@example.com"
  }

  assert {
    condition = (
      aws_sns_topic_subscription.alarm_email[0].endpoint == "operations@example.com" &&
      aws_sns_topic_subscription.alarm_email[0].protocol == "email" &&
      aws_sns_topic_subscription.alarm_email[0].topic_arn == aws_sns_topic.alarms[0].arn
    )
    error_message = "The address should receive the alarms."
  }
}

run "rejects_unknown_alarm" {
  command = plan

  variables {
    disabled_alarms = ["reporter_error"]
  }

  expect_failures = [var.disabled_alarms]
}

run "rejects_action_that_is_no_arn" {
  command = plan

  variables {
    alarm_actions = ["operations@example.com"]
  }

  expect_failures = [var.alarm_actions]
}

run "rejects_five_actions" {
  command = plan

  variables {
    alarm_actions = [for number in range(5) : "arn:aws:sns:eu-central-1:123456789012:pager-${number}"]
  }

  expect_failures = [var.alarm_actions]
}

run "rejects_actions_without_alarms" {
  command = plan

  variables {
    create_alarms = false
    alarm_actions = ["arn:aws:sns:eu-central-1:123456789012:pager"]
  }

  expect_failures = [var.alarm_actions]
}

run "rejects_address_without_alarms" {
  command = plan

  variables {
    create_alarms = false
    alarm_email   = "operations@example.com"
  }

  expect_failures = [var.alarm_email]
}

run "rejects_address_without_domain" {
  command = plan

  variables {
    alarm_email = "operations"
  }

  expect_failures = [var.alarm_email]
}
