mock_provider "aws" {
  source = "./tests/mocks"
}

run "without_any_input" {
  command = plan

  assert {
    condition = (
      aws_cloudwatch_event_rule.schedule.name == "ecr-scan-reporter-schedule" &&
      aws_cloudwatch_event_rule.schedule.schedule_expression == "rate(1 day)" &&
      aws_cloudwatch_event_rule.schedule.state == "ENABLED"
    )
    error_message = "The schedule should run once a day by default."
  }

  assert {
    condition = (
      aws_cloudwatch_event_rule.scan_events.name == "ecr-scan-reporter-scan-events" &&
      aws_cloudwatch_event_rule.scan_events.state == "ENABLED"
    )
    error_message = "The rule for scan events should be enabled by default."
  }

  assert {
    condition = (
      module.images_queue.queue.name == "ecr-scan-reporter-images" &&
      module.images_queue.dlq.name == "ecr-scan-reporter-images-dlq" &&
      module.reports_queue.queue.name == "ecr-scan-reporter-reports" &&
      module.reports_queue.dlq.name == "ecr-scan-reporter-reports-dlq" &&
      aws_sns_topic.reports[0].name == "ecr-scan-reporter-reports"
    )
    error_message = "Queues and topics should be named after the module."
  }

  assert {
    condition = (
      module.repositories_scanner.function.function_name == "ecr-scan-reporter-repositories-scanner" &&
      module.repositories_scanner.role.name == "ecr-scan-reporter-repositories-scanner" &&
      module.repositories_scanner.log_group.name == "/aws/lambda/ecr-scan-reporter-repositories-scanner" &&
      module.images_scanner.function.function_name == "ecr-scan-reporter-images-scanner" &&
      module.reporter.function.function_name == "ecr-scan-reporter-reporter"
    )
    error_message = "Functions, roles and log groups should be named after the module."
  }

  assert {
    condition     = aws_sns_topic.reports[0].kms_master_key_id == "alias/aws/sns"
    error_message = "The topic should be encrypted."
  }

  assert {
    condition = alltrue([for queue in [
      module.images_queue.queue, module.images_queue.dlq, module.reports_queue.queue, module.reports_queue.dlq,
    ] : queue.sqs_managed_sse_enabled])
    error_message = "All queues should be encrypted."
  }

  assert {
    condition = (
      module.images_queue.queue.visibility_timeout_seconds == 6 * 900 &&
      module.reports_queue.queue.visibility_timeout_seconds == 6 * 300 + 20
    )
    error_message = "A visibility timeout should be six times the function's timeout plus the batching window."
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.images.batch_size == 1 &&
      aws_lambda_event_source_mapping.images.scaling_config[0].maximum_concurrency == 5 &&
      aws_lambda_event_source_mapping.reports.batch_size == 10000 &&
      aws_lambda_event_source_mapping.reports.maximum_batching_window_in_seconds == 20 &&
      aws_lambda_event_source_mapping.reports.scaling_config[0].maximum_concurrency == 2
    )
    error_message = "The images scanner should process five repositories at a time, and the reporter the events of 20 seconds."
  }

  assert {
    condition = (
      aws_dynamodb_table.memory.name == "ecr-scan-reporter-memory" &&
      aws_dynamodb_table.memory.billing_mode == "PAY_PER_REQUEST" &&
      aws_dynamodb_table.memory.hash_key == "pk" && aws_dynamodb_table.memory.range_key == "sk" &&
      { for attribute in aws_dynamodb_table.memory.attribute : attribute.name => attribute.type } == { pk = "S", sk = "S" }
    )
    error_message = "The table should be on demand, with a partition key and a sort key that are strings."
  }

  assert {
    condition = (
      aws_dynamodb_table.memory.ttl[0].attribute_name == "expires" && aws_dynamodb_table.memory.ttl[0].enabled &&
      aws_dynamodb_table.memory.point_in_time_recovery[0].enabled
    )
    error_message = "The table should let items expire and be recoverable to a point in time."
  }

  assert {
    condition     = aws_dynamodb_table.memory.deletion_protection_enabled == false
    error_message = "The table should not keep `terraform destroy` from succeeding by default."
  }

  assert {
    condition = (
      length(aws_sns_topic.chat) == 0 && output.chat_topic_arn == null && output.chat_topic_name == null &&
      length(aws_sns_topic_subscription.additional) == 0
    )
    error_message = "There should be no chat topic and no subscription by default."
  }

  assert {
    condition = alltrue([for mapping in [aws_lambda_event_source_mapping.images, aws_lambda_event_source_mapping.reports] :
      mapping.function_response_types == toset(["ReportBatchItemFailures"])
    ])
    error_message = "Both event source mappings should return only the failed messages."
  }

  assert {
    condition = (
      aws_lambda_permission.schedule.principal == "events.amazonaws.com" &&
      aws_lambda_permission.schedule.source_account == null
    )
    error_message = "EventBridge should be allowed to invoke the repositories scanner, without a source_account."
  }
}

run "protected_table" {
  command = plan

  variables {
    memory_deletion_protection = true
  }

  assert {
    condition     = aws_dynamodb_table.memory.deletion_protection_enabled
    error_message = "The table should be protected from deletion."
  }
}

# Wiring and functions: ARNs are known after an apply only.
run "wired" {
  override_resource {
    target = aws_cloudwatch_event_rule.schedule
    values = { id = "schedule-rule", arn = "arn:aws:events:eu-central-1:123456789012:rule/schedule" }
  }
  override_resource {
    target = aws_cloudwatch_event_rule.scan_events
    values = { id = "scan-events-rule" }
  }
  override_resource {
    target = module.images_queue.aws_sqs_queue.this
    values = { arn = "arn:aws:sqs:eu-central-1:123456789012:images" }
  }
  override_resource {
    target = module.images_queue.aws_sqs_queue.dlq
    values = { arn = "arn:aws:sqs:eu-central-1:123456789012:images-dlq" }
  }
  override_resource {
    target = module.reports_queue.aws_sqs_queue.this
    values = { arn = "arn:aws:sqs:eu-central-1:123456789012:reports" }
  }
  override_resource {
    target = module.reports_queue.aws_sqs_queue.dlq
    values = { arn = "arn:aws:sqs:eu-central-1:123456789012:reports-dlq" }
  }
  override_resource {
    target = aws_dynamodb_table.memory
    values = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/memory" }
  }
  override_resource {
    target = module.repositories_scanner.aws_lambda_function.this
    values = {
      id  = "repositories-scanner"
      arn = "arn:aws:lambda:eu-central-1:123456789012:function:repositories-scanner"
    }
  }
  override_resource {
    target = module.images_scanner.aws_lambda_function.this
    values = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:images-scanner" }
  }
  override_resource {
    target = module.reporter.aws_lambda_function.this
    values = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:reporter" }
  }

  assert {
    condition = (
      aws_cloudwatch_event_target.schedule.rule == "schedule-rule" &&
      aws_cloudwatch_event_target.schedule.arn == "arn:aws:lambda:eu-central-1:123456789012:function:repositories-scanner" &&
      aws_lambda_permission.schedule.function_name == "repositories-scanner" &&
      aws_lambda_permission.schedule.source_arn == "arn:aws:events:eu-central-1:123456789012:rule/schedule"
    )
    error_message = "The schedule should invoke the repositories scanner, and nothing else should be allowed to."
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.images.event_source_arn == "arn:aws:sqs:eu-central-1:123456789012:images" &&
      aws_lambda_event_source_mapping.images.function_name == "arn:aws:lambda:eu-central-1:123456789012:function:images-scanner"
    )
    error_message = "The images scanner should consume the images queue."
  }

  assert {
    condition = (
      aws_cloudwatch_event_target.scan_events.rule == "scan-events-rule" &&
      aws_cloudwatch_event_target.scan_events.arn == "arn:aws:sqs:eu-central-1:123456789012:reports" &&
      aws_cloudwatch_event_target.scan_events.dead_letter_config[0].arn == "arn:aws:sqs:eu-central-1:123456789012:reports-dlq"
    )
    error_message = "Scan events should go to the reports queue, and undeliverable ones to its DLQ."
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.reports.event_source_arn == "arn:aws:sqs:eu-central-1:123456789012:reports" &&
      aws_lambda_event_source_mapping.reports.function_name == "arn:aws:lambda:eu-central-1:123456789012:function:reporter"
    )
    error_message = "The reporter should consume the reports queue."
  }

  assert {
    condition = (
      output.memory_table_arn == "arn:aws:dynamodb:eu-central-1:123456789012:table/memory" &&
      output.memory_table_name == "ecr-scan-reporter-memory"
    )
    error_message = "The outputs should name the table."
  }
}
