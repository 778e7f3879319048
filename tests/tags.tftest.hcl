# Tags, the permissions boundary and the retention reach every resource that takes them.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  tags                 = { team = "security" }
  permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
  log_retention_days   = 7
  chat                 = true
}

run "everywhere" {
  command = plan

  assert {
    condition = alltrue([for resource in concat(
      [aws_cloudwatch_event_rule.schedule.tags, aws_cloudwatch_event_rule.scan_events.tags],
      [aws_cloudwatch_event_rule.daily_pass.tags],
      [module.images_queue.queue.tags, module.images_queue.dlq.tags],
      [module.reports_queue.queue.tags, module.reports_queue.dlq.tags],
      [aws_lambda_event_source_mapping.images.tags, aws_lambda_event_source_mapping.reports.tags],
      [aws_sns_topic.reports[0].tags, aws_sns_topic.chat[0].tags],
      [aws_dynamodb_table.memory.tags],
      [aws_sns_topic.alarms[0].tags, aws_cloudwatch_event_rule.heartbeat[0].tags, aws_cloudwatch_event_rule.first_run.tags],
      [for alarm in aws_cloudwatch_metric_alarm.this : alarm.tags],
      flatten([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
        [function.function.tags, function.role.tags, function.log_group.tags]
      ]),
    ) : resource == tomap({ team = "security" })])
    error_message = "All resources should be tagged."
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      function.role.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    ])
    error_message = "Every role should have the boundary."
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      function.log_group.retention_in_days == 7
    ])
    error_message = "Every log should be kept for the given time."
  }
}

run "nowhere" {
  command = plan

  variables {
    tags                 = {}
    permissions_boundary = null
    log_retention_days   = 0
  }

  assert {
    condition     = module.reporter.role.permissions_boundary == null && module.reporter.log_group.retention_in_days == 0
    error_message = "There should be no boundary, and logs should not expire."
  }
}
