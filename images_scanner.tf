# The images scanner takes one repository at a time from the images queue and starts the scans that are due in it.

module "images_queue" {
  source = "./modules/queue"

  name             = local.names.images
  dlq_name         = local.names.images_dlq
  arn_prefix       = local.arn_prefixes.sqs
  consumer_timeout = local.functions.images_scanner.timeout
  kms_key_arn      = var.kms_key_arn
  tags             = var.tags

  depends_on = [aws_dynamodb_table.memory]
}

# One repository per invocation: each repository gets the whole timeout, and a failure affects no other repository.
resource "aws_lambda_event_source_mapping" "images" {
  event_source_arn        = module.images_queue.queue.arn
  function_name           = module.images_scanner.function.arn
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]
  tags                    = var.tags

  scaling_config {
    maximum_concurrency = local.functions.images_scanner.concurrency
  }
}

module "images_scanner" {
  source = "./modules/function"

  name        = local.names.images_scanner
  description = "Starts the scans that are due in an ECR repository."
  handler     = "ecr_scan_reporter.images_scanner.handler"
  common      = local.function_settings
  memory_size = local.functions.images_scanner.memory
  timeout     = local.functions.images_scanner.timeout

  environment_variables = {
    ECR_IMAGES_DURATION_DELTA = var.images_duration_delta
    SCHEDULE_EXPRESSION       = local.schedule_expression
    IMAGES_SELECTION = jsonencode(merge(local.images_selection, {
      tagged_only = tobool(local.images_selection.tagged_only)
      newest      = tonumber(local.images_selection.newest)
    }))
    IMAGES_QUEUE_URL  = module.images_queue.queue.url
    REPORTS_QUEUE_URL = module.reports_queue.queue.url
    MEMORY_TABLE_NAME = aws_dynamodb_table.memory.name
    REPORTER_NAME     = var.name
    DETAILED_METRICS  = tostring(var.detailed_monitoring)
    THREADS           = tostring(local.functions.images_scanner.threads)
  }

  policy_statements = merge(local.encrypt_messages_statement, {
    ConsumeImagesQueue = {
      actions   = local.sqs_consumer_actions
      resources = [local.arns.images]
    }
    ReadImagesAndScans = {
      actions   = ["ecr:DescribeImages", "ecr:DescribeImageScanFindings"]
      resources = [local.arns.repositories]
    }
    ReadImageIndexes = {
      actions   = ["ecr:BatchGetImage"]
      resources = [local.arns.repositories]
    }
    StartScans = {
      actions   = ["ecr:StartImageScan"]
      resources = [local.arns.repositories]
    }
    # A dry run says whether the registry starts the scans itself. The configuration belongs to the registry, which has
    # no ARN.
    ReadScanningConfiguration = {
      actions   = ["ecr:GetRegistryScanningConfiguration"]
      resources = ["*"]
    }
    QueueContinuation = {
      actions   = ["sqs:SendMessage"]
      resources = [local.arns.images]
    }
    # The reporter reads the findings of images whose events were lost, and judges those again that have their deadlines
    # back.
    QueueLostEvents = {
      actions   = ["sqs:SendMessage"]
      resources = [local.arns.reports]
    }
    # Saves the call to ECR for an image whose last scan is in the memory.
    ReadScans = {
      actions   = ["dynamodb:Query"]
      resources = [local.arns.memory]
    }
    # Saves the call to ECR for the manifests of an image index, which ECR records as a pull.
    ReadIndexes = {
      actions   = ["dynamodb:BatchGetItem"]
      resources = [local.arns.memory]
    }
    # No rules, and no reports that wait to be published: see memory/__init__.py for the keys.
    RememberScans = {
      actions   = ["dynamodb:BatchWriteItem"]
      resources = [local.arns.memory]
      condition = { "ForAllValues:StringLike" = {
        "dynamodb:LeadingKeys" = [
          "REPOSITORY#${local.registry_key}#*", "STATES#${local.registry_key}", "SUMMARIES#${local.registry_key}",
        ]
      } }
    }
  })

  depends_on = [aws_dynamodb_table.memory]
}
