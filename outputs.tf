################################################################################
# Schedule and scanning
################################################################################

output "schedule_rule_arn" {
  description = "ARN of the EventBridge rule that starts the runs."
  value       = aws_cloudwatch_event_rule.schedule.arn
}

output "schedule_rule_name" {
  description = "Name of the EventBridge rule that starts the runs."
  value       = aws_cloudwatch_event_rule.schedule.name
}

output "repositories_scanner_function_arn" {
  description = "ARN of the Lambda function that lists the repositories."
  value       = module.repositories_scanner.function.arn
}

output "repositories_scanner_function_name" {
  description = "Name of the Lambda function that lists the repositories."
  value       = module.repositories_scanner.function.function_name
}

output "repositories_scanner_role_arn" {
  description = "ARN of the repositories scanner's role."
  value       = module.repositories_scanner.role.arn
}

output "repositories_scanner_role_name" {
  description = "Name of the repositories scanner's role."
  value       = module.repositories_scanner.role.name
}

output "repositories_scanner_log_group_arn" {
  description = "ARN of the repositories scanner's log group."
  value       = module.repositories_scanner.log_group.arn
}

output "repositories_scanner_log_group_name" {
  description = "Name of the repositories scanner's log group."
  value       = module.repositories_scanner.log_group.name
}

output "images_queue_arn" {
  description = "ARN of the SQS queue of repositories whose images should be scanned."
  value       = module.images_queue.queue.arn
}

output "images_queue_name" {
  description = "Name of the SQS queue of repositories whose images should be scanned."
  value       = module.images_queue.queue.name
}

output "images_queue_url" {
  description = "URL of the SQS queue of repositories whose images should be scanned."
  value       = module.images_queue.queue.url
}

output "images_dead_letter_queue_arn" {
  description = "ARN of the SQS queue of repositories that the images scanner could not process."
  value       = module.images_queue.dlq.arn
}

output "images_dead_letter_queue_name" {
  description = "Name of the SQS queue of repositories that the images scanner could not process."
  value       = module.images_queue.dlq.name
}

output "images_dead_letter_queue_url" {
  description = "URL of the SQS queue of repositories that the images scanner could not process."
  value       = module.images_queue.dlq.url
}

output "images_scanner_function_arn" {
  description = "ARN of the Lambda function that starts the scans."
  value       = module.images_scanner.function.arn
}

output "images_scanner_function_name" {
  description = "Name of the Lambda function that starts the scans."
  value       = module.images_scanner.function.function_name
}

output "images_scanner_role_arn" {
  description = "ARN of the images scanner's role."
  value       = module.images_scanner.role.arn
}

output "images_scanner_role_name" {
  description = "Name of the images scanner's role."
  value       = module.images_scanner.role.name
}

output "images_scanner_log_group_arn" {
  description = "ARN of the images scanner's log group."
  value       = module.images_scanner.log_group.arn
}

output "images_scanner_log_group_name" {
  description = "Name of the images scanner's log group."
  value       = module.images_scanner.log_group.name
}

################################################################################
# Reports and overview
################################################################################

output "scan_events_rule_arn" {
  description = "ARN of the EventBridge rule that sends the scan events to the reports queue."
  value       = aws_cloudwatch_event_rule.scan_events.arn
}

output "scan_events_rule_name" {
  description = "Name of the EventBridge rule that sends the scan events to the reports queue."
  value       = aws_cloudwatch_event_rule.scan_events.name
}

output "reports_queue_arn" {
  description = "ARN of the SQS queue of scan events to report."
  value       = module.reports_queue.queue.arn
}

output "reports_queue_name" {
  description = "Name of the SQS queue of scan events to report."
  value       = module.reports_queue.queue.name
}

output "reports_queue_url" {
  description = "URL of the SQS queue of scan events to report."
  value       = module.reports_queue.queue.url
}

output "reports_dead_letter_queue_arn" {
  description = "ARN of the SQS queue of scan events that could not be delivered or processed, and failed overviews."
  value       = module.reports_queue.dlq.arn
}

output "reports_dead_letter_queue_name" {
  description = "Name of the SQS queue of scan events that could not be delivered or processed, and failed overviews."
  value       = module.reports_queue.dlq.name
}

output "reports_dead_letter_queue_url" {
  description = "URL of the SQS queue of scan events that could not be delivered or processed, and failed overviews."
  value       = module.reports_queue.dlq.url
}

output "reporter_function_arn" {
  description = "ARN of the Lambda function that publishes the reports."
  value       = module.reporter.function.arn
}

output "reporter_function_name" {
  description = "Name of the Lambda function that publishes the reports."
  value       = module.reporter.function.function_name
}

output "reporter_role_arn" {
  description = "ARN of the reporter's role."
  value       = module.reporter.role.arn
}

output "reporter_role_name" {
  description = "Name of the reporter's role."
  value       = module.reporter.role.name
}

output "reporter_log_group_arn" {
  description = "ARN of the reporter's log group."
  value       = module.reporter.log_group.arn
}

output "reporter_log_group_name" {
  description = "Name of the reporter's log group."
  value       = module.reporter.log_group.name
}

output "overview_schedule_rule_arn" {
  description = "ARN of the EventBridge rule that starts the overview; null without overview_schedule."
  value       = one(aws_cloudwatch_event_rule.overview_schedule[*].arn)
}

output "overview_schedule_rule_name" {
  description = "Name of the EventBridge rule that starts the overview; null without overview_schedule."
  value       = one(aws_cloudwatch_event_rule.overview_schedule[*].name)
}

output "daily_pass_rule_arn" {
  description = "ARN of the EventBridge rule that starts the daily pass over the memory."
  value       = aws_cloudwatch_event_rule.daily_pass.arn
}

output "daily_pass_rule_name" {
  description = "Name of the EventBridge rule that starts the daily pass over the memory."
  value       = aws_cloudwatch_event_rule.daily_pass.name
}

output "reports_topic_arn" {
  description = "ARN of the SNS topic that the reports are published to."
  value       = local.reports_topic_arn
}

output "reports_topic_name" {
  description = "Name of the SNS topic that the reports are published to."
  value       = local.reports_topic_name
}

output "chat_topic_arn" {
  description = "ARN of the SNS topic for Amazon Q Developer; null unless chat is true."
  value       = one(aws_sns_topic.chat[*].arn)
}

output "chat_topic_name" {
  description = "Name of the SNS topic for Amazon Q Developer; null unless chat is true."
  value       = one(aws_sns_topic.chat[*].name)
}

output "needs_attention" {
  description = <<-EOT
    What needs someone, one sentence each: addresses that have not confirmed their subscription, alarms that nobody
    receives, and rules of ignored_findings that end within 14 days or have ended. Empty if there is nothing. The
    overview names them too.
  EOT
  value = concat(
    [for address in local.unconfirmed_addresses :
      "${address} has not confirmed its subscription, and receives nothing: see ${local.operations_page}#email."
    ],
    local.alarms_without_receiver
    ? ["Nobody receives the alarms, unless somebody has subscribed to ${local.names.alarms}: set alarm_email or alarm_actions."]
    : [],
    local.ignored_findings_ending,
  )
}

################################################################################
# Memory
################################################################################

output "memory_table_arn" {
  description = "ARN of the DynamoDB table that holds what the module remembers about each image."
  value       = aws_dynamodb_table.memory.arn
}

output "memory_table_name" {
  description = "Name of the DynamoDB table that holds what the module remembers about each image."
  value       = aws_dynamodb_table.memory.name
}

################################################################################
# Alarms and dashboard
################################################################################

output "console_widget_function_arn" {
  description = "ARN of the Lambda function of the dashboard's custom widget; null unless dashboard_widget is true."
  value       = one(module.console_widget[*].function.arn)
}

output "console_widget_function_name" {
  description = "Name of the Lambda function of the dashboard's custom widget; null unless dashboard_widget is true."
  value       = one(module.console_widget[*].function.function_name)
}

output "console_widget_role_arn" {
  description = "ARN of the console widget's role; null unless dashboard_widget is true."
  value       = one(module.console_widget[*].role.arn)
}

output "console_widget_role_name" {
  description = "Name of the console widget's role; null unless dashboard_widget is true."
  value       = one(module.console_widget[*].role.name)
}

output "console_widget_log_group_arn" {
  description = "ARN of the console widget's log group; null unless dashboard_widget is true."
  value       = one(module.console_widget[*].log_group.arn)
}

output "console_widget_log_group_name" {
  description = "Name of the console widget's log group; null unless dashboard_widget is true."
  value       = one(module.console_widget[*].log_group.name)
}

output "catalog_reader_function_arn" {
  description = "ARN of the Lambda function that reads the catalog of known exploited vulnerabilities; null unless known_exploited is true."
  value       = one(module.catalog_reader[*].function.arn)
}

output "catalog_reader_function_name" {
  description = "Name of the Lambda function that reads the catalog; null unless known_exploited is true."
  value       = one(module.catalog_reader[*].function.function_name)
}

output "catalog_reader_role_arn" {
  description = "ARN of the catalog reader's role; null unless known_exploited is true."
  value       = one(module.catalog_reader[*].role.arn)
}

output "catalog_reader_role_name" {
  description = "Name of the catalog reader's role; null unless known_exploited is true."
  value       = one(module.catalog_reader[*].role.name)
}

output "catalog_reader_log_group_arn" {
  description = "ARN of the catalog reader's log group; null unless known_exploited is true."
  value       = one(module.catalog_reader[*].log_group.arn)
}

output "catalog_reader_log_group_name" {
  description = "Name of the catalog reader's log group; null unless known_exploited is true."
  value       = one(module.catalog_reader[*].log_group.name)
}

output "catalog_schedule_rule_arn" {
  description = "ARN of the EventBridge rule that has the catalog read once a day; null unless known_exploited is true."
  value       = one(aws_cloudwatch_event_rule.catalog_schedule[*].arn)
}

output "catalog_schedule_rule_name" {
  description = "Name of the EventBridge rule that has the catalog read once a day; null unless known_exploited is true."
  value       = one(aws_cloudwatch_event_rule.catalog_schedule[*].name)
}

output "alarms_topic_arn" {
  description = "ARN of the SNS topic that the alarms notify; null if create_alarms is false."
  value       = one(aws_sns_topic.alarms[*].arn)
}

output "alarms_topic_name" {
  description = "Name of the SNS topic that the alarms notify; null if create_alarms is false."
  value       = one(aws_sns_topic.alarms[*].name)
}

output "alarm_arns" {
  description = "ARNs of the alarms, keyed by their names in disabled_alarms, such as images_dlq."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.arn }
}

output "runbook" {
  description = <<-EOT
    The page that says what to do about an alarm, of the installed version (`page`), and a line of shell that sets what
    its commands need (`variables`).
  EOT
  value       = { page = local.operations_page, variables = local.operations_variables }
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard; null if create_dashboard is false."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}
