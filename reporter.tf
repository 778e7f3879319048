# A rule sends the scan events of ECR and the scan and finding events of Amazon Inspector to the reports queue, whoever
# started the scan. The reporter consumes the queue, compares what ECR lists with what the memory knows of the image,
# and publishes the reports.

locals {
  # Lambda's batching window only fills batches, which saves calls. It delays every event, so it is short: the memory
  # collects the events of one report, for report_window.
  reports_batching_window = min(var.report_window, 20)
}

resource "aws_cloudwatch_event_rule" "scan_events" {
  name        = local.names.scan_events
  description = "Sends the events of ECR image scans, and of Inspector's findings in images, to the reports queue."
  state       = var.enabled ? "ENABLED" : "DISABLED"
  tags        = var.tags

  # ECR sends an event for each basic scan, with the status COMPLETE or FAILED. Inspector sends one for the first scan
  # of an image, with its repository. What Inspector learns later, such as a new CVE, is no scan: it sends an event for
  # each finding that it creates, updates or closes, which names the image among its resources. Inspector's events for
  # EC2 instances and Lambda functions have neither. The rule matches failed scans even if notify_on_scan_failure is
  # false: the memory has to know that an image's last scan failed.
  event_pattern = jsonencode({
    source      = ["aws.ecr", "aws.inspector2"]
    detail-type = ["ECR Image Scan", "Inspector2 Scan", "Inspector2 Finding"]
    detail = {
      "$or" = [
        { repository-name = [{ exists = true }] },
        { resources = { type = ["AWS_ECR_CONTAINER_IMAGE"] } },
      ]
    }
  })

  depends_on = [aws_dynamodb_table.memory]
}

# An event that EventBridge cannot deliver goes to the DLQ, in the same form as events that the reporter could not
# process.
resource "aws_cloudwatch_event_target" "scan_events" {
  rule = aws_cloudwatch_event_rule.scan_events.id
  arn  = module.reports_queue.queue.arn

  dead_letter_config {
    arn = module.reports_queue.dlq.arn
  }
}

module "reports_queue" {
  source = "./modules/queue"

  name                     = local.names.reports
  dlq_name                 = local.names.reports_dlq
  arn_prefix               = local.arn_prefixes.sqs
  consumer_timeout         = local.functions.reporter.timeout
  consumer_batching_window = local.reports_batching_window
  kms_key_arn              = var.kms_key_arn
  tags                     = var.tags

  policy_statements = {
    AllowScanEvents = {
      service    = "events.amazonaws.com"
      actions    = ["sqs:SendMessage"]
      source_arn = local.arns.scan_events
    }
    AllowDailyPass = {
      service    = "events.amazonaws.com"
      actions    = ["sqs:SendMessage"]
      source_arn = local.arns.daily_pass
    }
  }

  dlq_policy_statements = {
    AllowUndeliveredScanEvents = {
      service    = "events.amazonaws.com"
      actions    = ["sqs:SendMessage"]
      source_arn = local.arns.scan_events
    }
    AllowUndeliveredDailyPass = {
      service    = "events.amazonaws.com"
      actions    = ["sqs:SendMessage"]
      source_arn = local.arns.daily_pass
    }
  }

  depends_on = [aws_dynamodb_table.memory]
}

# Large batches save calls; the memory, not the batch, decides which scans share a report. Lambda's maximum is 10000,
# but batches reach its payload limit of 6 MB first. Without a batching window, Lambda's maximum is 10.
resource "aws_lambda_event_source_mapping" "reports" {
  event_source_arn                   = module.reports_queue.queue.arn
  function_name                      = module.reporter.function.arn
  batch_size                         = local.reports_batching_window == 0 ? 10 : 10000
  maximum_batching_window_in_seconds = local.reports_batching_window
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  scaling_config {
    maximum_concurrency = local.functions.reporter.concurrency
  }
}

module "reporter" {
  source = "./modules/function"

  name        = local.names.reporter
  description = "Reports the results of ECR image scans that need attention."
  handler     = "ecr_scan_reporter.reporter.handler"
  common      = local.function_settings
  memory_size = local.functions.reporter.memory
  timeout     = local.functions.reporter.timeout

  environment_variables = {
    REPORTS_TOPIC_ARN           = local.reports_topic_arn
    REPORTS_QUEUE_URL           = module.reports_queue.queue.url
    MEMORY_TABLE_NAME           = aws_dynamodb_table.memory.name
    DLQ_URLS                    = jsonencode([module.images_queue.dlq.url, module.reports_queue.dlq.url])
    SUBJECT_PREFIX              = var.subject_prefix
    ACCOUNT_NAME                = var.account_name
    CONTACT                     = var.contact
    OVERVIEW_SCHEDULE           = local.overview_schedule
    CHAT_TOPIC_ARN              = var.chat ? aws_sns_topic.chat[0].arn : ""
    ALARMS_TOPIC_ARN            = length(var.alarm_actions) == 0 ? join("", aws_sns_topic.alarms[*].arn) : ""
    DETAILED_METRICS            = tostring(var.detailed_monitoring)
    REPOSITORIES_FILTER_REGEXP  = var.repositories_filter_regexp
    REPOSITORIES_EXCLUDE_REGEXP = var.repositories_exclude_regexp == null ? "" : var.repositories_exclude_regexp
    SEVERITY_THRESHOLDS         = jsonencode(local.severity_thresholds)
    ECR_IMAGES_DURATION_DELTA   = var.images_duration_delta
    SCHEDULE_EXPRESSION         = local.schedule_expression
    # Terraform makes text of numbers beside text.
    FIX_WITHIN = var.fix_within == null ? "" : jsonencode({
      for key, days in var.fix_within : key => try(tonumber(days), days)
    })
    KNOWN_EXPLOITED        = tostring(var.known_exploited)
    IGNORE_KERNEL_HEADERS  = tostring(var.ignore_kernel_headers)
    FIXABLE_ONLY           = tostring(var.fixable_only)
    GROUP_BY               = var.group_by == null ? "" : var.group_by
    NOTIFY_ON              = var.notify_on
    NOTIFY_ON_FIXED        = tostring(var.notify_on_fixed)
    NOTIFY_ON_SCAN_FAILURE = tostring(var.notify_on_scan_failure)
    REMIND_AFTER           = var.remind_after == null ? "" : var.remind_after
    REPORT_WINDOW_SECONDS  = tostring(var.report_window)
    REPORTER_NAME          = var.name
    QUIET_HOURS = length(var.quiet_hours) == 0 ? "" : jsonencode({
      windows   = var.quiet_hours
      time_zone = var.quiet_hours_time_zone
      exploited = var.quiet_hours_let_exploited_through
    })
    EXPORT = local.export_setting
  }

  # Without kms_key_arn, the topics' key needs no KMS statement: the policy of the AWS managed key allows every
  # principal of the account that may use SNS.
  policy_statements = merge(local.encrypt_messages_statement, local.export_statements, {
    ConsumeReportsQueue = {
      actions   = local.sqs_consumer_actions
      resources = [local.arns.reports]
    }
    # Findings that are not there yet are read again after a minute, not after the visibility timeout.
    RetryUnreadFindings = {
      actions   = ["sqs:ChangeMessageVisibility"]
      resources = [local.arns.reports]
    }
    # A delayed message closes a report window: when it arrives, the reporter publishes what was collected. A report
    # that SNS rejects is queued separately for each topic, so that one topic does not hold back the other. The daily
    # pass queues the images in which something is due, and the rest of itself.
    QueueReports = {
      actions   = ["sqs:SendMessage"]
      resources = [local.arns.reports]
    }
    # The overview says how many messages the DLQs hold.
    CountDlqMessages = {
      actions   = ["sqs:GetQueueAttributes"]
      resources = [local.arns.images_dlq, local.arns.reports_dlq]
    }
    # The overview names the addresses that never confirmed their subscription, and the first inventory waits for one.
    # It also says when nobody receives the alarms.
    ListSubscriptions = {
      actions   = ["sns:ListSubscriptionsByTopic"]
      resources = concat([local.arns.reports_topic], length(var.alarm_actions) == 0 && var.create_alarms ? [local.arns.alarms_topic] : [])
    }
    # Lambda sends a record of an overview that failed three times to the DLQ, with this role.
    QueueFailedOverviews = {
      actions   = ["sqs:SendMessage"]
      resources = [local.arns.reports_dlq]
    }
    ReadMemory = {
      actions   = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"]
      resources = [local.arns.memory]
    }
    # TransactWriteItems has no action of its own: the actions of its operations allow it.
    WriteMemory = {
      actions   = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"]
      resources = [local.arns.memory]
    }
    ReadFindings = {
      actions   = ["ecr:DescribeImageScanFindings"]
      resources = [local.arns.repositories]
    }
    # An untagged image may belong to a tagged index.
    NameUntaggedImages = {
      actions   = ["ecr:DescribeImages", "ecr:BatchGetImage"]
      resources = [local.arns.repositories]
    }
    PublishReports = {
      actions   = ["sns:Publish"]
      resources = concat([local.arns.reports_topic], var.chat ? [local.arns.chat_topic] : [])
    }
  })

  depends_on = [aws_dynamodb_table.memory]
}
