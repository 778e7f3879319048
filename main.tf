# In the order in which the data flows: the schedule, the repositories scanner, the images queue, the images scanner;
# then, whoever started a scan: its event, the reports queue, the reporter, the topic.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  package = "${path.module}/dist/ecr_scan_reporter.zip"

  # 64 characters is the least that one of the resources (function, role, rule) allows, so all names keep to it.
  # The hash is of the whole name: two long names that begin alike stay apart.
  names = { for suffix in [
    "schedule", "repositories-scanner", "images", "images-dlq", "images-scanner",
    "scan-events", "reports", "reports-dlq", "reporter", "chat",
    ] : replace(suffix, "-", "_") => (
    length("${var.name}-${suffix}") <= 64
    ? "${var.name}-${suffix}"
    : "${substr(var.name, 0, 64 - 10 - length(suffix))}-${substr(sha256(var.name), 0, 8)}-${suffix}"
  ) }

  # data.aws_region has no attribute that both provider 5.100 and 6.x take without a warning.
  region = split(":", aws_cloudwatch_event_rule.schedule.arn)[3]

  # ARNs put together by hand are for policies that the resource itself carries or that would close a circle.
  arn_scope        = "${local.region}:${data.aws_caller_identity.current.account_id}"
  queue_arn_prefix = "arn:${data.aws_partition.current.partition}:sqs:${local.arn_scope}"
  repositories_arn = "arn:${data.aws_partition.current.partition}:ecr:${local.arn_scope}:repository/*"

  topic_arns = { for topic in ["reports", "chat"] :
    topic => "arn:${data.aws_partition.current.partition}:sns:${local.arn_scope}:${local.names[topic]}"
  }

  # These policies take the place of SNS's default one, which lets every principal of the account publish and
  # subscribe: with them only those do to whom IAM allows it.
  topic_policies = { for topic, arn in local.topic_arns : topic => {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyInsecureTransport"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sns:Publish"
      Resource  = arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  } }

  queue_arns = { for queue in ["images", "images_dlq", "reports", "reports_dlq"] :
    queue => "${local.queue_arn_prefix}:${local.names[queue]}"
  }

  # Within the account IAM says who may use a queue; what each queue's own policy adds is that nobody does without TLS.
  deny_insecure_transport = { for queue, arn in local.queue_arns : queue => {
    Sid       = "DenyInsecureTransport"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Resource  = arn
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  } }

  # Lambda advises six times the function's timeout, so that throttled and retried batches do not show up twice, and
  # at least five receives, so that throttling alone buries no message. A message is out of sight from when Lambda takes
  # it, so the time for which it waits for its batch comes on top.
  visibility_timeouts = {
    images  = 6 * var.functions.images_scanner.timeout
    reports = 6 * var.functions.reporter.timeout + var.report_window
  }
  max_receive_count = 5

  # What Lambda needs of a queue to poll it.
  sqs_consumer_actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]

  # The longest that SQS keeps a message: two weeks to find the cause and send the dead letters back.
  dlq_retention_seconds = 14 * 24 * 60 * 60
}

# ---- The schedule starts a run ----

resource "aws_cloudwatch_event_rule" "schedule" {
  name                = local.names.schedule
  description         = "Starts a run of the repositories scanner."
  schedule_expression = can(regex("^(rate|cron)\\(", var.rate)) ? var.rate : "rate(${var.rate})"
  state               = var.enabled ? "ENABLED" : "DISABLED"
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "schedule" {
  rule = aws_cloudwatch_event_rule.schedule.name
  arn  = module.repositories_scanner.function.arn

  # A rule that fires before it may invoke the function loses that run.
  depends_on = [aws_lambda_permission.schedule]
}

# No source_account beside source_arn: EventBridge sends none, so it would keep the rule out.
resource "aws_lambda_permission" "schedule" {
  statement_id  = "AllowScheduleRule"
  action        = "lambda:InvokeFunction"
  function_name = module.repositories_scanner.function.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.schedule.arn
}

# ---- The repositories scanner puts one message per repository on the images queue ----

module "repositories_scanner" {
  source = "./modules/function"

  name                 = local.names.repositories_scanner
  description          = "Lists the ECR repositories and queues those whose images are to be scanned."
  handler              = "ecr_scan_reporter.repositories_scanner.handler"
  filename             = local.package
  memory_size          = var.functions.repositories_scanner.memory
  timeout              = var.functions.repositories_scanner.timeout
  reserved_concurrency = var.functions.repositories_scanner.concurrency
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  environment_variables = merge(var.environment_variables, {
    REPOSITORIES_FILTER_REGEXP  = var.repositories_filter_regexp
    REPOSITORIES_EXCLUDE_REGEXP = var.repositories_exclude_regexp == null ? "" : var.repositories_exclude_regexp
    IMAGES_QUEUE_URL            = aws_sqs_queue.images.url
    THREADS                     = tostring(var.functions.repositories_scanner.threads)
  })

  policy_statements = {
    ListRepositories = {
      actions   = ["ecr:DescribeRepositories"]
      resources = [local.repositories_arn]
    }
    # The configuration is the registry's, so it has no ARN to name.
    ReadScanningConfiguration = {
      actions   = ["ecr:GetRegistryScanningConfiguration"]
      resources = ["*"]
    }
    QueueRepositories = {
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.images.arn]
    }
  }
}

resource "aws_sqs_queue" "images" {
  name                       = local.names.images
  visibility_timeout_seconds = local.visibility_timeouts.images
  sqs_managed_sse_enabled    = true
  tags                       = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.images_dlq.arn
    maxReceiveCount     = local.max_receive_count
  })

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [local.deny_insecure_transport.images]
  })
}

resource "aws_sqs_queue" "images_dlq" {
  name                      = local.names.images_dlq
  message_retention_seconds = local.dlq_retention_seconds
  sqs_managed_sse_enabled   = true
  tags                      = var.tags

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns.images]
  })

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [local.deny_insecure_transport.images_dlq]
  })
}

# ---- The images scanner takes one repository and starts the scans that are due ----

# One repository per invocation: each has the whole timeout for itself, and one that fails takes no other with it.
resource "aws_lambda_event_source_mapping" "images" {
  event_source_arn        = aws_sqs_queue.images.arn
  function_name           = module.images_scanner.function.arn
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]
  tags                    = var.tags

  scaling_config {
    maximum_concurrency = var.functions.images_scanner.concurrency
  }
}

module "images_scanner" {
  source = "./modules/function"

  name                 = local.names.images_scanner
  description          = "Takes an ECR repository and starts the scans of its images that are due."
  handler              = "ecr_scan_reporter.images_scanner.handler"
  filename             = local.package
  memory_size          = var.functions.images_scanner.memory
  timeout              = var.functions.images_scanner.timeout
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  environment_variables = merge(var.environment_variables, {
    ECR_IMAGES_DURATION_DELTA = var.images_duration_delta
    IMAGES_SELECTION          = jsonencode(var.images_selection)
    IMAGES_QUEUE_URL          = aws_sqs_queue.images.url
    THREADS                   = tostring(var.functions.images_scanner.threads)
  })

  policy_statements = {
    ReadImagesAndScans = {
      actions   = ["ecr:DescribeImages", "ecr:DescribeImageScanFindings"]
      resources = [local.repositories_arn]
    }
    ReadImageIndexes = {
      actions   = ["ecr:BatchGetImage"]
      resources = [local.repositories_arn]
    }
    StartScans = {
      actions   = ["ecr:StartImageScan"]
      resources = [local.repositories_arn]
    }
    ConsumeImagesQueue = {
      actions   = local.sqs_consumer_actions
      resources = [aws_sqs_queue.images.arn]
    }
    QueueContinuation = {
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.images.arn]
    }
  }
}

# ---- Scan events of ECR and of Amazon Inspector, whoever started the scan, go to the reports queue ----

resource "aws_cloudwatch_event_rule" "scan_events" {
  name        = local.names.scan_events
  description = "Takes the results of basic and of enhanced ECR image scans."
  state       = var.enabled ? "ENABLED" : "DISABLED"
  tags        = var.tags

  # Basic scans are told by ECR, as COMPLETE or FAILED; enhanced ones by Inspector, with a status of its own for the
  # first scan of an image and for each further one. Inspector tells of EC2 and Lambda in the same form, but without
  # a repository.
  event_pattern = jsonencode({
    source      = ["aws.ecr", "aws.inspector2"]
    detail-type = ["ECR Image Scan", "Inspector2 Scan"]
    detail = { for field, accepted in {
      repository-name = [{ exists = true }]
      scan-status     = [{ anything-but = ["FAILED"] }]
    } : field => accepted if field != "scan-status" || !var.notify_on_scan_failure }
  })
}

# An event that EventBridge cannot deliver ends beside those that the reporter could not handle, in the same form.
resource "aws_cloudwatch_event_target" "scan_events" {
  rule = aws_cloudwatch_event_rule.scan_events.name
  arn  = aws_sqs_queue.reports.arn

  dead_letter_config {
    arn = aws_sqs_queue.reports_dlq.arn
  }
}

resource "aws_sqs_queue" "reports" {
  name                       = local.names.reports
  visibility_timeout_seconds = local.visibility_timeouts.reports
  sqs_managed_sse_enabled    = true
  tags                       = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.reports_dlq.arn
    maxReceiveCount     = local.max_receive_count
  })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.deny_insecure_transport.reports,
      {
        Sid       = "AllowScanEvents"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arns.reports
        Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.scan_events.arn } }
      },
    ]
  })
}

resource "aws_sqs_queue" "reports_dlq" {
  name                      = local.names.reports_dlq
  message_retention_seconds = local.dlq_retention_seconds
  sqs_managed_sse_enabled   = true
  tags                      = var.tags

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns.reports]
  })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.deny_insecure_transport.reports_dlq,
      {
        Sid       = "AllowUndeliveredScanEvents"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arns.reports_dlq
        Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.scan_events.arn } }
      },
    ]
  })
}

# ---- The reporter publishes what a person should know ----

# One report tells of all scans of a batch, so a batch is as large as the window makes it: 10000 is the most that Lambda
# takes, and its 6 MB for a payload come first. Without a window it takes no more than ten.
resource "aws_lambda_event_source_mapping" "reports" {
  event_source_arn                   = aws_sqs_queue.reports.arn
  function_name                      = module.reporter.function.arn
  batch_size                         = var.report_window == 0 ? 10 : 10000
  maximum_batching_window_in_seconds = var.report_window
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  scaling_config {
    maximum_concurrency = var.functions.reporter.concurrency
  }
}

module "reporter" {
  source = "./modules/function"

  name                 = local.names.reporter
  description          = "Takes the results of ECR image scans and publishes what a person should know."
  handler              = "ecr_scan_reporter.reporter.handler"
  filename             = local.package
  memory_size          = var.functions.reporter.memory
  timeout              = var.functions.reporter.timeout
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  environment_variables = merge(var.environment_variables, {
    REPORTS_TOPIC_ARN           = aws_sns_topic.reports.arn
    CHAT_TOPIC_ARN              = var.chat ? aws_sns_topic.chat[0].arn : ""
    REPOSITORIES_FILTER_REGEXP  = var.repositories_filter_regexp
    REPOSITORIES_EXCLUDE_REGEXP = var.repositories_exclude_regexp == null ? "" : var.repositories_exclude_regexp
    SEVERITY_THRESHOLDS = jsonencode({
      for severity, threshold in merge({ CRITICAL = 1, HIGH = 1 }, var.severity_thresholds) :
      severity => threshold if threshold != null
    })
    FIXABLE_ONLY           = tostring(var.fixable_only)
    GROUP_BY               = var.group_by == null ? "" : var.group_by
    NOTIFY_ON_SCAN_FAILURE = tostring(var.notify_on_scan_failure)
    REPORTER_NAME          = var.name
  })

  # No KMS statement for the topics' key: the policy of the AWS managed key lets everyone in the account use it through
  # SNS who may use SNS. A customer managed key would need kms:GenerateDataKey* and kms:Decrypt here.
  policy_statements = {
    ConsumeReportsQueue = {
      actions   = local.sqs_consumer_actions
      resources = [aws_sqs_queue.reports.arn]
    }
    ReadFindings = {
      actions   = ["ecr:DescribeImageScanFindings"]
      resources = [local.repositories_arn]
    }
    # An image without a tag may be part of an index that has one.
    NameUntaggedImages = {
      actions   = ["ecr:DescribeImages", "ecr:BatchGetImage"]
      resources = [local.repositories_arn]
    }
    PublishReports = {
      actions   = ["sns:Publish"]
      resources = concat([aws_sns_topic.reports.arn], aws_sns_topic.chat[*].arn)
    }
  }
}

resource "aws_sns_topic" "reports" {
  name              = local.names.reports
  kms_master_key_id = "alias/aws/sns"
  policy            = jsonencode(local.topic_policies.reports)
  tags              = var.tags
}

resource "aws_sns_topic_subscription" "email" {
  count = var.email == null ? 0 : 1

  topic_arn = aws_sns_topic.reports.arn
  protocol  = "email"
  endpoint  = var.email
}

resource "aws_sns_topic_subscription" "additional" {
  for_each = var.subscriptions

  topic_arn             = aws_sns_topic.reports.arn
  protocol              = each.value.protocol
  endpoint              = each.value.endpoint
  filter_policy         = each.value.filter_policy
  filter_policy_scope   = each.value.filter_policy_scope
  raw_message_delivery  = each.value.raw_message_delivery
  subscription_role_arn = each.value.subscription_role_arn
}

# A topic of its own: Amazon Q Developer takes messages of one form only, which nobody could read as an e-mail. It
# subscribes the topic itself when a channel is configured with it.
resource "aws_sns_topic" "chat" {
  count = var.chat ? 1 : 0

  name              = local.names.chat
  kms_master_key_id = "alias/aws/sns"
  policy            = jsonencode(local.topic_policies.chat)
  tags              = var.tags
}
