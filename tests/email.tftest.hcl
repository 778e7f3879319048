mock_provider "aws" {
  source = "./tests/mocks"
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
      aws_sns_topic_subscription.email[0].topic_arn == aws_sns_topic.reports.arn
    )
    error_message = "The address should be subscribed to the topic."
  }
}
