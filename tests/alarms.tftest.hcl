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

run "all_alarms" {
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
      # 7 days, one run and an hour; 2 days.
      scan-overdue-scans = "EcrScanReporter OldestScanAge scan Maximum GreaterThanThreshold 694800 1x3600 ignore"
      scan-silence       = "EcrScanReporter SecondsSinceLastPass scan Minimum GreaterThanThreshold 172800 3x3600 missing"

      scan-repositories-scanner-errors = "AWS/Lambda Errors scan-repositories-scanner Sum GreaterThanThreshold 0 1x300 notBreaching"
      scan-images-scanner-errors       = "AWS/Lambda Errors scan-images-scanner Sum GreaterThanThreshold 0 1x300 notBreaching"
      scan-reporter-errors             = "AWS/Lambda Errors scan-reporter Sum GreaterThanThreshold 0 1x300 notBreaching"

      scan-repositories-scanner-throttles = "AWS/Lambda Throttles scan-repositories-scanner Sum GreaterThanThreshold 0 4x300 notBreaching"
      scan-images-scanner-throttles       = "AWS/Lambda Throttles scan-images-scanner Sum GreaterThanThreshold 0 4x300 notBreaching"
      scan-reporter-throttles             = "AWS/Lambda Throttles scan-reporter Sum GreaterThanThreshold 0 4x300 notBreaching"
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
    condition     = [for key, alarm in aws_cloudwatch_metric_alarm.this : key if length(alarm.insufficient_data_actions) > 0] == ["silence"]
    error_message = "Only a missing heartbeat should be an alarm, not a queue or a function that nobody uses."
  }

  assert {
    condition = aws_cloudwatch_metric_alarm.this["silence"].insufficient_data_actions == (
      aws_cloudwatch_metric_alarm.this["silence"].alarm_actions
    )
    error_message = "A missing heartbeat should notify like an alarm."
  }

  # GitHub makes the anchor of a heading: lower case, hyphens in place of spaces.
  assert {
    condition = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : contains(
      [for heading in regexall("(?m)^#+ (.*)$", file("docs/operations.md")) : replace(lower(heading[0]), " ", "-")],
      try(regex(" https://[^ ]+/docs/operations\\.md#([a-z-]+)$", alarm.alarm_description)[0], "none"),
    )])
    error_message = "Each description should end with a link to the section of docs/operations.md that says what to do."
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

run "promise_of_a_month_and_weekly_runs" {
  command = plan

  variables {
    images_duration_delta = "1m2w3d"
    rate                  = "7 days"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["overdue_scans"].threshold == 86400 * (31 + 14 + 3 + 7) + 3600
    error_message = "The alarm should fire after the longest month, the weeks, the days, one run and an hour."
  }

  # A message may wait for a run of a day at most: SQS deletes it after four days.
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["images_queue_age"].threshold == 86400
    error_message = "The alarm should fire when a repository has waited for a day, also for weekly runs."
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

  assert {
    condition     = local.longest_run_interval_seconds == 600 && local.silence_seconds == 600 + 3600
    error_message = "Silence should begin an hour late at the earliest, the time between two heartbeats."
  }
}

# The arithmetic of silence, hour by hour, for the schedule that CloudWatch cannot count: once a week. The last run was complete
# at the hour 0. The alarm fires if three ages in a row are over the threshold.
run "weekly" {
  command = plan

  variables {
    rate = "7 days"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 604800 && local.silence_seconds == 604800 + 86400
    error_message = "A weekly run should be missed after a week and a day."
  }

  # The next run begins a minute late and takes 23 hours.
  assert {
    condition = alltrue([for hour in range(24 * 7 + 24) :
      3600 * hour <= aws_cloudwatch_metric_alarm.this["silence"].threshold
    ])
    error_message = "No age should be over the threshold while a run that began when it was due is not complete."
  }

  assert {
    condition = min([for hour in range(24 * 14) : hour if alltrue([for age in range(hour - 2, hour + 1) :
      3600 * age > aws_cloudwatch_metric_alarm.this["silence"].threshold
    ])]...) == 24 * 8 + 3
    error_message = "The alarm should fire eight days and three hours after the last run, long before the second one is missed."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["silence"].period * aws_cloudwatch_metric_alarm.this["silence"].evaluation_periods
      <= 86400
    )
    error_message = "CloudWatch should evaluate the alarm every minute, as it does for at most a day of data."
  }
}

run "daily_at_a_fixed_time" {
  command = plan

  variables {
    rate = "cron(0 4 * * ? *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 86400 && local.silence_seconds == 2 * 86400
    error_message = "The longest interval of a daily schedule should be a day, and silence should begin after two."
  }
}

run "mondays" {
  command = plan

  variables {
    rate = "cron(0 4 ? * MON *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 7 * 86400 && local.silence_seconds == 8 * 86400
    error_message = "The longest interval of a weekly schedule should be a week, and silence should begin a day later."
  }
}

run "working_days" {
  command = plan

  variables {
    rate = "cron(0/15 8-17 ? * MON-FRI *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 3 * 86400 && local.silence_seconds == 4 * 86400
    error_message = "The longest interval should be three days, from Friday to Monday."
  }
}

run "days_as_numbers_across_the_weekend" {
  command = plan

  variables {
    rate = "cron(0 4 ? * 6-2,4 *)"
  }

  assert {
    condition     = join(",", local.weekdays) == "6,7,1,2,4" && local.longest_run_interval_seconds == 2 * 86400
    error_message = "6-2,4 should be Friday to Monday and Wednesday, with a longest interval of two days."
  }
}

run "first_monday_of_a_month" {
  command = plan

  variables {
    rate = "cron(0 4 ? * MON#1 *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 35 * 86400
    error_message = "The longest interval between two first Mondays should be five weeks."
  }
}

run "days_of_the_month" {
  command = plan

  variables {
    rate = "cron(0 4 1,15 * ? *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 31 * 86400
    error_message = "The longest interval should be 31 days if one of the days is in every month."
  }
}

run "months" {
  command = plan

  variables {
    rate = "cron(0 4 1 JAN,JUL ? *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 371 * 86400
    error_message = "The longest interval of a schedule with months should be 53 weeks."
  }
}

# Between two fifth Mondays, such as those of November 2026 and March 2027, there can be 17 weeks.
run "fifth_monday_of_a_month" {
  command = plan

  variables {
    rate = "cron(0 4 ? * MON#5 *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 119 * 86400
    error_message = "The longest interval between two fifth Mondays should be 17 weeks."
  }
}

run "first_or_fifth_monday_of_a_month" {
  command = plan

  variables {
    rate = "cron(0 4 ? * MON#1,MON#5 *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 35 * 86400
    error_message = "The longest interval should be five weeks if one of the days is in every month."
  }
}

run "last_friday_of_a_month" {
  command = plan

  variables {
    rate = "cron(0 4 ? * 6L *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 35 * 86400
    error_message = "The longest interval between two last Fridays should be five weeks."
  }
}

# From 31 January to 31 March, or from 31 May to 31 July.
run "day_that_is_missing_in_some_months" {
  command = plan

  variables {
    rate = "cron(0 4 31 * ? *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 63 * 86400
    error_message = "The longest interval should allow for a month without a 31st."
  }
}

run "days_that_are_missing_in_february" {
  command = plan

  variables {
    rate = "cron(0 4 29-30 * ? *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 63 * 86400
    error_message = "The longest interval should allow for a February of 28 days."
  }
}

run "last_day_of_a_month" {
  command = plan

  variables {
    rate = "cron(0 4 L * ? *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 31 * 86400
    error_message = "The longest interval between two last days of a month should be 31 days."
  }
}

run "every_second_day_of_a_month" {
  command = plan

  variables {
    rate = "cron(0 4 */2 * ? *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 31 * 86400
    error_message = "The longest interval of days that are in every month should be at most 31 days."
  }
}

# The first of May 2027 is a Saturday: the nearest working day of that month is 3 May.
run "working_day_of_a_month" {
  command = plan

  variables {
    rate = "cron(0 4 1W * ? *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 33 * 86400
    error_message = "The longest interval should allow for a day that moves by two days."
  }
}

run "last_working_day_of_a_month" {
  command = plan

  variables {
    rate = "cron(0 4 LW * ? *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 33 * 86400
    error_message = "The longest interval between two last working days should be 33 days."
  }
}

run "working_day_that_is_missing_in_some_months" {
  command = plan

  variables {
    rate = "cron(0 4 31W * ? *)"
  }

  assert {
    condition     = local.longest_run_interval_seconds == 63 * 86400
    error_message = "The longest interval should allow for a month without a 31st, and for a day that moves by two days."
  }
}

run "some_alarms" {
  command = plan

  variables {
    disabled_alarms = ["silence", "reporter_errors", "images_scanner_throttles"]
  }

  assert {
    condition = (
      length(setintersection(keys(aws_cloudwatch_metric_alarm.this), var.disabled_alarms)) == 0 &&
      length(aws_cloudwatch_metric_alarm.this) == 10 && length(aws_cloudwatch_event_rule.heartbeat) == 0
    )
    error_message = "All alarms but the disabled ones should exist, and no heartbeat without the alarm on silence."
  }
}

run "widget" {
  command = plan

  variables {
    dashboard_widget = true
    disabled_alarms  = ["console_widget_throttles"]
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["console_widget_errors"].alarm_name == "scan-console-widget-errors" &&
      aws_cloudwatch_metric_alarm.this["console_widget_errors"].dimensions.FunctionName == "scan-console-widget" &&
      length(aws_cloudwatch_metric_alarm.this) == 14
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
    condition     = length(aws_cloudwatch_metric_alarm.this) == 13
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
