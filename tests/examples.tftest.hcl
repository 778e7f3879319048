# Applies each example with its own defaults.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "ireland"
  source = "./tests/mocks"
}

run "simple" {
  module {
    source = "./examples/simple"
  }

  assert {
    condition     = output.function_names.reporter == "ecr-scan-reporter-reporter"
    error_message = "The simple example should have the module's defaults."
  }
}

run "complete" {
  module {
    source = "./examples/complete"
  }
}

run "chat_without_a_channel" {
  module {
    source = "./examples/chat"
  }

  assert {
    condition     = length(aws_chatbot_slack_channel_configuration.reports) == 0
    error_message = "The chat example should create no channel configuration without a channel."
  }
}

run "chat_with_a_channel" {
  module {
    source = "./examples/chat"
  }

  variables {
    slack_channel = { team_id = "T0123456789", channel_id = "C0123456789" }
  }

  assert {
    condition     = one(aws_chatbot_slack_channel_configuration.reports[*].sns_topic_arns) == toset([output.chat_topic_arn])
    error_message = "The channel should show the chat topic."
  }
}

run "team_routing" {
  module {
    source = "./examples/team-routing"
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_policy.critical.policy).Statement[0].Resource == aws_sqs_queue.critical.arn
    error_message = "The topic should be allowed to send to the queue."
  }
}

run "multi_region" {
  module {
    source = "./examples/multi-region"
  }

  providers = {
    aws         = aws
    aws.ireland = aws.ireland
  }
}

run "alarms_to_a_pager" {
  module {
    source = "./examples/alarms-to-a-pager"
  }

  variables {
    pager_url = "https://events.example.com/integration"
  }

  assert {
    condition     = one(aws_sns_topic_subscription.pager[*].topic_arn) == output.pager_topic_arn
    error_message = "The pager should subscribe to the topic."
  }
}

run "pager_without_tls_rejected" {
  command = plan

  module {
    source = "./examples/alarms-to-a-pager"
  }

  variables {
    pager_url = "http://events.example.com/integration"
  }

  expect_failures = [var.pager_url]
}
