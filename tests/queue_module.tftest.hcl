# modules/queue on its own: what both queues have in common.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name             = "images"
  dlq_name         = "images-dlq"
  arn_prefix       = "arn:aws:sqs:eu-central-1:123456789012"
  consumer_timeout = 100
}

run "queue" {
  command = plan

  module {
    source = "./modules/queue"
  }

  assert {
    condition     = aws_sqs_queue.dlq.message_retention_seconds == 14 * 24 * 60 * 60
    error_message = "The DLQ should keep messages for 14 days."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.this.redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:eu-central-1:123456789012:images-dlq"
      maxReceiveCount     = 5
    }
    error_message = "A message that fails five times should go to the queue's own DLQ."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.dlq.redrive_allow_policy) == {
      redrivePermission = "byQueue", sourceQueueArns = ["arn:aws:sqs:eu-central-1:123456789012:images"]
    }
    error_message = "The DLQ should accept messages from its own queue only."
  }

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 6 * 100
    error_message = "The visibility timeout should be six times the function's timeout."
  }
}

run "batching_window" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    consumer_batching_window = 20
  }

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 6 * 100 + 20
    error_message = "The visibility timeout should include the time for which Lambda fills a batch."
  }
}
