# Checks reports and subscriptions: validations, their bounds, and the resources.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "rejects_negative_window" {
  command = plan

  variables {
    report_window = -1
  }

  expect_failures = [var.report_window]
}

run "rejects_window_above_43200" {
  command = plan

  variables {
    report_window = 43201
  }

  expect_failures = [var.report_window]
}

run "rejects_fraction_as_window" {
  command = plan

  variables {
    report_window = 1.5
  }

  expect_failures = [var.report_window]
}

run "rejects_unknown_notify_on" {
  command = plan

  variables {
    notify_on = "always"
  }

  expect_failures = [var.notify_on]
}

run "rejects_notify_on_with_a_hyphen" {
  command = plan

  variables {
    notify_on = "every-scan"
  }

  expect_failures = [var.notify_on]
}

run "rejects_empty_notify_on" {
  command = plan

  variables {
    notify_on = ""
  }

  expect_failures = [var.notify_on]
}

run "rejects_empty_remind_after" {
  command = plan

  variables {
    remind_after = ""
  }

  expect_failures = [var.remind_after]
}

run "rejects_remind_after_in_wrong_order" {
  command = plan

  variables {
    remind_after = "3d2w"
  }

  expect_failures = [var.remind_after]
}

run "rejects_remind_after_of_zero_days" {
  command = plan

  variables {
    remind_after = "0d"
  }

  expect_failures = [var.remind_after]
}

run "rejects_remind_after_without_unit" {
  command = plan

  variables {
    remind_after = "30"
  }

  expect_failures = [var.remind_after]
}

run "rejects_remind_after_in_words" {
  command = plan

  variables {
    remind_after = "never"
  }

  expect_failures = [var.remind_after]
}

run "rejects_empty_group_by" {
  command = plan

  variables {
    group_by = ""
  }

  expect_failures = [var.group_by]
}

run "rejects_group_by_of_257_characters" {
  command = plan

  variables {
    group_by = "(${format("%0255d", 0)})"
  }

  expect_failures = [var.group_by]
}

run "rejects_group_by_without_group" {
  command = plan

  variables {
    group_by = "^[^/]+/"
  }

  expect_failures = [var.group_by]
}

run "rejects_group_by_with_literal_parentheses" {
  command = plan

  variables {
    group_by = "^\\([^/]+\\)/"
  }

  expect_failures = [var.group_by]
}

run "rejects_group_by_with_non_capturing_group" {
  command = plan

  variables {
    group_by = "^(?:team-a|team-b)/"
  }

  expect_failures = [var.group_by]
}

run "rejects_unclosed_group" {
  command = plan

  variables {
    group_by = "^team("
  }

  expect_failures = [var.group_by]
}

run "rejects_unknown_protocol" {
  command = plan

  variables {
    subscriptions = { a = { protocol = "slack", endpoint = "x" } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_empty_endpoint" {
  command = plan

  variables {
    subscriptions = { a = { protocol = "sqs", endpoint = "" } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_blank_endpoint" {
  command = plan

  variables {
    subscriptions = { a = { protocol = "email", endpoint = " " } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_filter_policy_that_is_no_json" {
  command = plan

  variables {
    subscriptions = { a = { protocol = "email", endpoint = "a@example.com", filter_policy = "severity" } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_filter_policy_that_is_no_object" {
  command = plan

  variables {
    subscriptions = { a = { protocol = "email", endpoint = "a@example.com", filter_policy = "[\"CRITICAL\"]" } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_unknown_filter_policy_scope" {
  command = plan

  variables {
    subscriptions = {
      a = { protocol = "email", endpoint = "a@example.com", filter_policy = "{}", filter_policy_scope = "Message" }
    }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_filter_policy_scope_without_policy" {
  command = plan

  variables {
    subscriptions = { a = { protocol = "email", endpoint = "a@example.com", filter_policy_scope = "MessageBody" } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_raw_delivery_to_email" {
  command = plan

  variables {
    subscriptions = { a = { protocol = "email", endpoint = "a@example.com", raw_message_delivery = true } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_raw_delivery_to_lambda" {
  command = plan

  variables {
    subscriptions = {
      a = {
        protocol             = "lambda"
        endpoint             = "arn:aws:lambda:eu-central-1:123456789012:function:a"
        raw_message_delivery = true
      }
    }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_firehose_without_role" {
  command = plan

  variables {
    subscriptions = { a = { protocol = "firehose", endpoint = "arn:aws:firehose:eu-central-1:123456789012:deliverystream/a" } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_role_without_firehose" {
  command = plan

  variables {
    subscriptions = { a = { protocol = "sms", endpoint = "+15550100", subscription_role_arn = "arn:aws:iam::123456789012:role/a" } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_null_protocol" {
  command = plan

  variables {
    subscriptions = { a = { protocol = null, endpoint = "a@example.com", raw_message_delivery = true } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_null_endpoint" {
  command = plan

  variables {
    subscriptions = { a = { protocol = "email", endpoint = null } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_one_invalid_subscription_among_valid_ones" {
  command = plan

  variables {
    subscriptions = {
      a = { protocol = "email", endpoint = "a@example.com" }
      b = { protocol = "SQS", endpoint = "arn:aws:sqs:eu-central-1:123456789012:b" }
    }
  }

  expect_failures = [var.subscriptions]
}

run "least_values_accepted" {
  variables {
    report_window = 0
    remind_after  = "1d"
    group_by      = "()"
    subscriptions = { a = { protocol = "email", endpoint = "a", filter_policy = "{}" } }
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.reports.batch_size == 10 &&
      aws_lambda_event_source_mapping.reports.maximum_batching_window_in_seconds == 0 &&
      module.reports_queue.queue.visibility_timeout_seconds == 6 * 300
    )
    error_message = "Without a window, a batch should have at most ten events."
  }
}

run "shortest_window" {
  command = plan

  variables {
    report_window = 1
    group_by      = "\\\\(?P<team>[^/]+)/"
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.reports.batch_size == 10000 &&
      aws_lambda_event_source_mapping.reports.maximum_batching_window_in_seconds == 1 &&
      module.reports_queue.queue.visibility_timeout_seconds == 6 * 300 + 1
    )
    error_message = "With a window, a batch should have as many events as Lambda allows."
  }
}

run "greatest_values_accepted" {
  command = plan

  variables {
    report_window = 43200
    remind_after  = "00123456789m2w3d"
    group_by      = "(${format("%0254d", 0)})"
    functions     = { reporter = { timeout = 900 } }
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.reports.maximum_batching_window_in_seconds == 20 &&
      module.reports_queue.queue.visibility_timeout_seconds == 6 * 900 + 20 &&
      module.reporter.function.environment[0].variables["REPORT_WINDOW_SECONDS"] == "43200"
    )
    error_message = "Lambda should fill batches for at most 20 seconds, and the reporter should have the whole window."
  }
}

run "null_is_the_default" {
  command = plan

  variables {
    report_window   = null
    notify_on       = null
    notify_on_fixed = null
    group_by        = null
    fixable_only    = null
    subscriptions   = null
    chat            = null
  }

  assert {
    condition = (
      module.reporter.function.environment[0].variables["REPORT_WINDOW_SECONDS"] == "60" &&
      module.reporter.function.environment[0].variables["NOTIFY_ON"] == "changes" &&
      module.reporter.function.environment[0].variables["NOTIFY_ON_FIXED"] == "false" &&
      module.reporter.function.environment[0].variables["FIXABLE_ONLY"] == "false" &&
      module.reporter.function.environment[0].variables["GROUP_BY"] == "" &&
      length(aws_sns_topic_subscription.additional) == 0 && length(aws_sns_topic.chat) == 0
    )
    error_message = "null should be the same as no input."
  }
}

run "every_protocol" {
  variables {
    email = "security@example.com"
    subscriptions = {
      queue    = { protocol = "sqs", endpoint = "arn:aws:sqs:eu-central-1:123456789012:a", raw_message_delivery = true }
      function = { protocol = "lambda", endpoint = "arn:aws:lambda:eu-central-1:123456789012:function:a", raw_message_delivery = false }
      plain    = { protocol = "http", endpoint = "http://example.com", raw_message_delivery = true }
      url      = { protocol = "https", endpoint = "https://example.com", raw_message_delivery = true }
      address = {
        protocol            = "email"
        endpoint            = "a@example.com"
        filter_policy_scope = "MessageAttributes"
        filter_policy       = jsonencode({ severity = ["CRITICAL"] })
      }
      json = {
        protocol            = "email-json"
        endpoint            = "a@example.com"
        filter_policy_scope = "MessageBody"
        filter_policy       = jsonencode({ images = { repository = ["a"] } })
      }
      mirror = { protocol = "email-json", endpoint = "b@example.com" }
      people = { protocol = "email", endpoint = "b@example.com" }
      text   = { protocol = "sms", endpoint = "+15550100" }
      app    = { protocol = "application", endpoint = "arn:aws:sns:eu-central-1:123456789012:endpoint/GCM/a/b" }
      stream = {
        protocol              = "firehose"
        endpoint              = "arn:aws:firehose:eu-central-1:123456789012:deliverystream/a"
        raw_message_delivery  = true
        subscription_role_arn = "arn:aws:iam::123456789012:role/a"
      }
    }
  }

  assert {
    condition = { for name, subscription in aws_sns_topic_subscription.additional : name => subscription.protocol } == {
      queue  = "sqs", function = "lambda", plain = "http", url = "https", address = "email", json = "email-json"
      mirror = "email-json", people = "email", text = "sms", app = "application", stream = "firehose"
    }
    error_message = "Every protocol of SNS should be accepted."
  }

  assert {
    condition = alltrue([for name, subscription in aws_sns_topic_subscription.additional :
      subscription.topic_arn == aws_sns_topic.reports[0].arn && subscription.endpoint == var.subscriptions[name].endpoint
    ])
    error_message = "All subscriptions should be of the reports topic."
  }

  assert {
    condition = (
      jsondecode(aws_sns_topic_subscription.additional["address"].filter_policy) == { severity = ["CRITICAL"] } &&
      aws_sns_topic_subscription.additional["address"].filter_policy_scope == "MessageAttributes" &&
      aws_sns_topic_subscription.additional["json"].filter_policy_scope == "MessageBody" &&
      aws_sns_topic_subscription.additional["text"].filter_policy == null
    )
    error_message = "Filter policies should be passed on."
  }

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.additional["people"].filter_policy) == { id = [{ suffix = "-1" }] }
    error_message = "Mail without a filter policy should get the first message of each report only."
  }

  assert {
    condition = [for name, subscription in aws_sns_topic_subscription.additional :
      name if subscription.filter_policy != null
    ] == ["address", "json", "people"]
    error_message = "Programs without a filter policy should get all messages of each report."
  }

  assert {
    condition = (
      [for name in ["queue", "plain", "url", "stream"] :
        name if aws_sns_topic_subscription.additional[name].raw_message_delivery != true
      ] == [] &&
      aws_sns_topic_subscription.additional["function"].raw_message_delivery == false &&
      aws_sns_topic_subscription.additional["stream"].subscription_role_arn == "arn:aws:iam::123456789012:role/a"
    )
    error_message = "Delivery options should be passed on."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 1
    error_message = "The email address should be subscribed in addition."
  }
}

run "chat" {
  override_resource {
    target = aws_sns_topic.chat
    values = { arn = "arn:aws:sns:eu-central-1:123456789012:chat" }
  }

  variables {
    chat = true
  }

  assert {
    condition = (
      output.chat_topic_arn == "arn:aws:sns:eu-central-1:123456789012:chat" &&
      output.chat_topic_name == "ecr-scan-reporter-chat" &&
      aws_sns_topic.chat[0].kms_master_key_id == "alias/aws/sns"
    )
    error_message = "There should be an encrypted topic for chat."
  }

  assert {
    condition     = module.reporter.function.environment[0].variables["CHAT_TOPIC_ARN"] == "arn:aws:sns:eu-central-1:123456789012:chat"
    error_message = "The reporter should have the ARN of the chat topic."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.additional) == 0 && length(aws_sns_topic_subscription.email) == 0
    error_message = "The module should not subscribe to the chat topic; Amazon Q Developer does."
  }
}

run "without_an_address" {
  command = plan

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0
    error_message = "There should be no subscription without an address."
  }
}

run "with_an_address" {
  variables {
    email = "security@example.com"
  }

  assert {
    condition = (
      aws_sns_topic_subscription.email[0].protocol == "email" &&
      aws_sns_topic_subscription.email[0].endpoint == "security@example.com" &&
      aws_sns_topic_subscription.email[0].topic_arn == aws_sns_topic.reports[0].arn
    )
    error_message = "The address should be subscribed to the topic."
  }

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.email[0].filter_policy) == { id = [{ suffix = "-1" }] }
    error_message = "The address should get the first message of each report only."
  }
}
