# Checks kms_key_arn: what it encrypts, and which statements the roles then have.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  chat        = true

  dashboard_widget = true
}

run "customer_key" {
  assert {
    condition = alltrue([for queue in [
      module.images_queue.queue, module.images_queue.dlq, module.reports_queue.queue, module.reports_queue.dlq,
    ] : queue.kms_master_key_id == var.kms_key_arn])
    error_message = "All queues should have the customer key."
  }

  assert {
    condition = alltrue([for topic in [aws_sns_topic.reports[0], aws_sns_topic.chat[0]] :
      topic.kms_master_key_id == var.kms_key_arn
    ])
    error_message = "All topics should have the customer key."
  }

  assert {
    condition = (
      aws_dynamodb_table.memory.server_side_encryption[0].enabled &&
      aws_dynamodb_table.memory.server_side_encryption[0].kms_key_arn == var.kms_key_arn
    )
    error_message = "The table should have the customer key."
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      function.function.kms_key_arn == var.kms_key_arn && function.log_group.kms_key_id == var.kms_key_arn
    ])
    error_message = "Environment variables and logs should have the customer key."
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      [for statement in jsondecode(function.policy.policy).Statement : "${statement.Sid} ${join(",", statement.Action)}"
        if contains(statement.Resource, var.kms_key_arn)
      ] == ["DecryptWithKey kms:Decrypt", "EncryptMessages kms:GenerateDataKey"]
    ])
    error_message = "Every role should be allowed to decrypt with the key and to encrypt messages, and nothing else."
  }

  assert {
    condition = [for statement in jsondecode(module.console_widget[0].policy.policy).Statement :
      "${statement.Sid} ${join(",", statement.Action)}" if contains(flatten([statement.Resource]), var.kms_key_arn)
    ] == ["DecryptWithKey kms:Decrypt"]
    error_message = "The widget sends no messages: its role should only be allowed to decrypt with the key."
  }
}

run "encryption_of_aws" {
  variables {
    kms_key_arn = null
  }

  assert {
    condition = alltrue([for queue in [
      module.images_queue.queue, module.images_queue.dlq, module.reports_queue.queue, module.reports_queue.dlq,
    ] : queue.sqs_managed_sse_enabled && queue.kms_master_key_id == null])
    error_message = "All queues should have the key of SQS."
  }

  assert {
    condition = alltrue([for topic in [aws_sns_topic.reports[0], aws_sns_topic.chat[0]] :
      topic.kms_master_key_id == "alias/aws/sns"
    ])
    error_message = "All topics should have the key of SNS."
  }

  assert {
    condition     = !aws_dynamodb_table.memory.server_side_encryption[0].enabled
    error_message = "The table should have the key that AWS owns, not the AWS managed key that is billed."
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      function.function.kms_key_arn == null && function.log_group.kms_key_id == null
    ])
    error_message = "Environment variables and logs should have no customer key."
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      !strcontains(function.policy.policy, "kms:")
    ])
    error_message = "No role should have permissions in KMS."
  }
}

run "rejects_alias_of_a_key" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/security"
  }

  expect_failures = [var.kms_key_arn]
}

run "rejects_id_of_a_key" {
  command = plan

  variables {
    kms_key_arn = "1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  expect_failures = [var.kms_key_arn]
}
