# What the first plan shows and refuses, before anything exists: no run applies anything.

mock_provider "aws" {
  source = "./tests/mocks"
}

# Answers any text, as the mock of whoever tests a configuration that calls the module.
mock_provider "aws" {
  alias = "bare"
}

run "names_and_documents_are_known" {
  command = plan

  variables {
    chat             = true
    dashboard_widget = true
    kms_key_arn      = "arn:aws:kms:eu-central-1:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition = alltrue([for document in concat(
      [for function in concat([module.repositories_scanner, module.images_scanner, module.reporter], module.console_widget) :
        function.policy.policy
      ],
      flatten([for queues in [module.images_queue, module.reports_queue] : [
        queues.queue.policy, queues.queue.redrive_policy, queues.dlq.policy, queues.dlq.redrive_allow_policy,
      ]]),
      [for topic in concat(aws_sns_topic.reports, aws_sns_topic.chat, aws_sns_topic.alarms) : topic.policy],
      [aws_cloudwatch_dashboard.this[0].dashboard_body],
    ) : strcontains(document, ":eu-central-1:123456789012:")])
    error_message = "All policies and the dashboard should name the resources of this account and Region."
  }

  assert {
    condition     = output.dashboard_name == "ecr-scan-reporter-eu-central-1" && output.reports_topic_name == "ecr-scan-reporter-reports"
    error_message = "The names should be known."
  }
}

run "accepts_what_belongs_here_or_has_no_region" {
  command = plan

  variables {
    reports_topic_arn = "arn:aws:sns:eu-central-1:123456789012:security"
    alarm_actions     = ["arn:aws:sns:eu-central-1:210987654321:pager", "arn:aws:ssm-incidents::123456789012:response-plan/pager"]
  }

  assert {
    condition     = output.reports_topic_arn == var.reports_topic_arn && output.reports_topic_name == "security"
    error_message = "The topic should be accepted."
  }
}

run "a_mock_judges_nothing" {
  command = plan

  providers = {
    aws = aws.bare
  }

  variables {
    reports_topic_arn = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:security"
    kms_key_arn       = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    alarm_actions     = ["arn:aws-us-gov:sns:us-gov-west-1:123456789012:pager"]
    chat              = true
    dashboard_widget  = true
  }

  assert {
    condition     = output.reports_topic_arn == var.reports_topic_arn
    error_message = "The topic should be accepted."
  }
}

run "rejects_topic_of_another_region" {
  command = plan

  variables {
    reports_topic_arn = "arn:aws:sns:us-east-1:123456789012:security"
  }

  expect_failures = [var.reports_topic_arn]
}

run "rejects_topic_of_another_account" {
  command = plan

  variables {
    reports_topic_arn = "arn:aws:sns:eu-central-1:210987654321:security"
  }

  expect_failures = [var.reports_topic_arn]
}

run "rejects_topic_of_another_partition" {
  command = plan

  variables {
    reports_topic_arn = "arn:aws-cn:sns:eu-central-1:123456789012:security"
  }

  expect_failures = [var.reports_topic_arn]
}

run "rejects_key_of_another_region" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  expect_failures = [var.kms_key_arn]
}

run "rejects_key_of_another_partition" {
  command = plan

  variables {
    kms_key_arn = "arn:aws-cn:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  expect_failures = [var.kms_key_arn]
}

run "rejects_alarm_action_of_another_region" {
  command = plan

  variables {
    alarm_actions = ["arn:aws:sns:eu-central-1:123456789012:pager", "arn:aws:sns:us-east-1:123456789012:pager"]
  }

  expect_failures = [var.alarm_actions]
}

run "rejects_alarm_action_of_another_partition" {
  command = plan

  variables {
    alarm_actions = ["arn:aws-cn:sns:eu-central-1:123456789012:pager"]
  }

  expect_failures = [var.alarm_actions]
}
