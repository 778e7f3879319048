# The schedule starts the repositories scanner, which sends one message per repository to the images queue.

locals {
  schedule_expression = can(regex("^(rate|cron)\\(", var.rate)) ? var.rate : "rate(${var.rate})"

  # The time between two runs, at most a day; also a day for a cron expression, which may be irregular. The functions
  # know the intervals of a cron expression.
  rate                 = try(regex("^rate\\(([0-9]+) (minute|hour|day)s?\\)$", local.schedule_expression), ["1", "day"])
  run_interval_seconds = min(86400, tonumber(local.rate[0]) * { minute = 60, hour = 3600, day = 86400 }[local.rate[1]])
}

resource "aws_cloudwatch_event_rule" "schedule" {
  name                = local.names.schedule
  description         = "Starts a run of the repositories scanner."
  schedule_expression = local.schedule_expression
  state               = var.enabled ? "ENABLED" : "DISABLED"
  tags                = var.tags

  depends_on = [aws_dynamodb_table.memory]
}

resource "aws_cloudwatch_event_target" "schedule" {
  rule = aws_cloudwatch_event_rule.schedule.id
  arn  = module.repositories_scanner.function.arn

  # A rule that fires before it has permission to invoke the function loses that run.
  depends_on = [aws_lambda_permission.schedule]
}

# No source_account: EventBridge does not send it, so with it every invocation would be denied.
resource "aws_lambda_permission" "schedule" {
  statement_id  = "AllowScheduleRule"
  action        = "lambda:InvokeFunction"
  function_name = module.repositories_scanner.function.id
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.schedule.arn
}

module "repositories_scanner" {
  source = "./modules/function"

  name                 = local.names.repositories_scanner
  description          = "Lists the ECR repositories and queues those that match the filter."
  handler              = "ecr_scan_reporter.repositories_scanner.handler"
  common               = local.function_settings
  memory_size          = local.functions.repositories_scanner.memory
  timeout              = local.functions.repositories_scanner.timeout
  reserved_concurrency = local.functions.repositories_scanner.concurrency

  environment_variables = {
    REPOSITORIES_FILTER_REGEXP  = var.repositories_filter_regexp
    REPOSITORIES_EXCLUDE_REGEXP = var.repositories_exclude_regexp == null ? "" : var.repositories_exclude_regexp
    SCHEDULE_EXPRESSION         = local.schedule_expression
    ECR_IMAGES_DURATION_DELTA   = var.images_duration_delta
    IMAGES_QUEUE_URL            = module.images_queue.queue.url
    MEMORY_TABLE_NAME           = aws_dynamodb_table.memory.name
    REPORTER_NAME               = var.name
    DETAILED_METRICS            = tostring(var.detailed_monitoring)
    THREADS                     = tostring(local.functions.repositories_scanner.threads)
    EXPORT_QUEUE_URL            = var.export_bucket == null ? "" : module.reports_queue.queue.url
  }

  policy_statements = merge(local.encrypt_messages_statement, local.request_export_statement, {
    ListRepositories = {
      actions   = ["ecr:DescribeRepositories"]
      resources = [local.arns.repositories]
    }
    # The configuration belongs to the registry, which has no ARN.
    ReadScanningConfiguration = {
      actions   = ["ecr:GetRegistryScanningConfiguration"]
      resources = ["*"]
    }
    QueueRepositories = {
      actions   = ["sqs:SendMessage"]
      resources = [local.arns.images]
    }
    ReadRepositoryStates = {
      actions   = ["dynamodb:Query"]
      resources = [local.arns.memory]
    }
    # The reporter reports the scans of a run together, so it has to know the run.
    RememberRun = {
      actions   = ["dynamodb:PutItem"]
      resources = [local.arns.memory]
      condition = { "ForAllValues:StringLike" = {
        "dynamodb:LeadingKeys" = ["PASSES#${local.registry_key}", "RUNS#${local.registry_key}"]
      } }
    }
    # Those that it queues are remembered, so that one in which no run ever ends is missed. What is remembered of those
    # that ECR no longer lists would count in every overview.
    RememberRepositories = {
      actions   = ["dynamodb:BatchWriteItem"]
      resources = [local.arns.memory]
      condition = { "ForAllValues:StringLike" = {
        "dynamodb:LeadingKeys" = ["STATES#${local.registry_key}", "SUMMARIES#${local.registry_key}"]
      } }
    }
  })

  depends_on = [aws_dynamodb_table.memory]
}
