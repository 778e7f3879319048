# Checks reports_topic_arn: reports go to a topic that exists already.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  reports_topic_arn = "arn:aws:sns:eu-central-1:123456789012:security"
}

run "existing_topic" {
  assert {
    condition = (
      length(aws_sns_topic.reports) == 0 && length(aws_sns_topic_subscription.email) == 0 &&
      length(aws_sns_topic_subscription.additional) == 0
    )
    error_message = "There should be neither a topic nor a subscription of the module's own."
  }

  assert {
    condition = (
      module.reporter.function.environment[0].variables["REPORTS_TOPIC_ARN"] == var.reports_topic_arn &&
      [for statement in jsondecode(module.reporter.policy.policy).Statement :
        statement.Resource if statement.Sid == "PublishReports"
      ] == [[var.reports_topic_arn]]
    )
    error_message = "The reporter should publish to the existing topic, and should be allowed to publish to no other."
  }

  assert {
    condition     = output.reports_topic_arn == var.reports_topic_arn && output.reports_topic_name == "security"
    error_message = "The outputs should name the existing topic."
  }
}

run "existing_topic_and_chat" {
  command = plan

  variables {
    chat = true
  }

  assert {
    condition     = length(aws_sns_topic.reports) == 0 && length(aws_sns_topic.chat) == 1
    error_message = "The chat topic should be the module's own."
  }
}

run "topic_of_the_module" {
  variables {
    reports_topic_arn = null
  }

  assert {
    condition     = output.reports_topic_arn == aws_sns_topic.reports[0].arn
    error_message = "Reports should go to the module's own topic by default."
  }
}

run "rejects_email_beside_it" {
  command = plan

  variables {
    email = "security@example.com"
  }

  expect_failures = [var.reports_topic_arn]
}

run "rejects_subscriptions_beside_it" {
  command = plan

  variables {
    subscriptions = { tickets = { protocol = "sqs", endpoint = "arn:aws:sqs:eu-central-1:123456789012:tickets" } }
  }

  expect_failures = [var.reports_topic_arn]
}

run "rejects_fifo_topic" {
  command = plan

  variables {
    reports_topic_arn = "arn:aws:sns:eu-central-1:123456789012:security.fifo"
  }

  expect_failures = [var.reports_topic_arn]
}

run "rejects_subscription_in_place_of_topic" {
  command = plan

  variables {
    reports_topic_arn = "arn:aws:sns:eu-central-1:123456789012:security:6b0e71bd-7e97-4d97-80ce-4a0994e55286"
  }

  expect_failures = [var.reports_topic_arn]
}
