# Checks the warning that an address has not confirmed its subscription.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "unconfirmed" {
  variables {
    email       = "security@example.com"
    alarm_email = "operations@example.com"
    subscriptions = {
      team    = { protocol = "email", endpoint = "team@example.com" }
      webhook = { protocol = "https", endpoint = "https://example.com/reports" }
    }
  }

  override_resource {
    target = aws_sns_topic.reports
    values = { arn = "arn:aws:sns:eu-central-1:123456789012:scan-reports" }
  }
  override_resource {
    target = aws_sns_topic.alarms
    values = { arn = "arn:aws:sns:eu-central-1:123456789012:scan-alarms" }
  }
  override_resource {
    target = aws_sns_topic_subscription.email
    values = { pending_confirmation = true }
  }
  override_resource {
    target = aws_sns_topic_subscription.additional
    values = { pending_confirmation = true }
  }
  override_resource {
    target = aws_sns_topic_subscription.alarm_email
    values = { pending_confirmation = true }
  }

  assert {
    condition = local.unconfirmed_addresses == [
      "security@example.com (scan-reports)", "team@example.com (scan-reports)", "operations@example.com (scan-alarms)",
    ]
    error_message = "Each address should be named with its topic, and what is no address should not."
  }

  expect_failures = [check.subscriptions_confirmed]
}

run "no_address" {
  variables {
    email         = null
    alarm_email   = null
    subscriptions = {}
  }

  assert {
    condition     = length(local.unconfirmed_addresses) == 0
    error_message = "Without addresses, there should be no warning."
  }
}

run "confirmed" {
  variables {
    email         = "security@example.com"
    alarm_email   = "operations@example.com"
    subscriptions = { team = { protocol = "email", endpoint = "team@example.com" } }
  }

  assert {
    condition     = length(local.email_subscriptions) == 3 && length(local.unconfirmed_addresses) == 0
    error_message = "Confirmed addresses should be no warning."
  }
}
