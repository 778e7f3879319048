# Checks what the output needs_attention says of addresses that have not confirmed their subscription.

mock_provider "aws" {
  source = "./tests/mocks"
}

# Whether an address has confirmed is not known yet, which is no warning: a warning would fail this run.
run "first_plan" {
  command = plan

  variables {
    email         = "security@example.com"
    alarm_email   = "operations@example.com"
    subscriptions = { team = { protocol = "email", endpoint = "team@example.com" } }
  }

  assert {
    condition     = length(local.email_subscriptions) == 3
    error_message = "Each address should have a subscription."
  }
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
    condition = output.needs_attention == [for address in [
      "security@example.com (scan-reports)", "team@example.com (scan-reports)", "operations@example.com (scan-alarms)",
      ] : join(" ", [
        "${address} has not confirmed its subscription, and receives nothing:", "see ${local.operations_page}#email.",
    ])]
    error_message = "Each address should be named with its topic, and what is no address should not."
  }
}

run "no_address" {
  variables {
    email         = null
    alarm_email   = null
    subscriptions = {}
  }

  assert {
    condition = output.needs_attention == [
      "Nobody receives the alarms, unless somebody has subscribed to ecr-scan-reporter-alarms: set alarm_email or alarm_actions."
    ]
    error_message = "Without addresses, only the alarms should need attention: nobody receives them."
  }
}

run "pager" {
  command = plan

  variables {
    alarm_actions = ["arn:aws:sns:eu-central-1:123456789012:pager"]
  }

  assert {
    condition     = length(output.needs_attention) == 0
    error_message = "A pager should receive the alarms."
  }
}

run "no_alarms" {
  command = plan

  variables {
    create_alarms = false
  }

  assert {
    condition     = length(output.needs_attention) == 0
    error_message = "Without alarms, nobody needs to receive them."
  }
}

run "confirmed" {
  variables {
    email         = "security@example.com"
    alarm_email   = "operations@example.com"
    subscriptions = { team = { protocol = "email", endpoint = "team@example.com" } }
  }

  assert {
    condition     = length(local.email_subscriptions) == 3 && length(output.needs_attention) == 0
    error_message = "Confirmed addresses should not need attention."
  }
}
